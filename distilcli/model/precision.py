"""The number format that a model computes in: what the device has, and what is fast on it."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from time import perf_counter

import torch

from distilcli.errors import ResourceError
from distilcli.model.hardware import cpu_flags
from distilcli.model.precision_name import Precision, TrainingPrecision

_DTYPES: dict[Precision, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}

# A feed-forward layer of DistilBERT-base over a training batch.
_TOKENS, _IN, _OUT = 1_024, 768, 3_072
_MIN_GAIN = 1.1  # a precision that rounds more must be faster by more than chance

REDUCED: tuple[Precision, ...] = ("fp16", "bf16", "int8")
"""What `auto` may take instead of fp32, the more exact first; tf32 is a setting of the process."""

_MIN_ROUNDS, _MAX_ROUNDS = 3, 9
_MAX_SECONDS = 1.0


def has_bf16(device: torch.device) -> bool:
    """Return whether `device` multiplies bf16 matrices in hardware.

    A CPU without the instructions emulates them, many times slower than fp32.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        on_x86 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return bool(on_x86 or "bf16" in cpu_flags())
    return False


def is_bf16_faster(device: torch.device) -> bool:
    """Return whether matrix products on `device` are faster in bf16 than in fp32.

    A CPU is measured, for a few hundredths of a second: some that have the instructions run them
    at half the rate.
    """
    if device.type != "cpu":
        return has_bf16(device)
    return has_bf16(device) and fastest(_product_seconds()) == "bf16"


def fastest(seconds: Mapping[Precision, float]) -> Precision:
    """Return the precision that takes the shortest time, fp32 or another.

    A less exact one has to be faster by a tenth, which is more than chance.
    """
    best: Precision = "fp32"
    for each in REDUCED:
        if each in seconds and seconds[each] * _MIN_GAIN < seconds[best]:
            best = each
    return best


def shortest_seconds(ways: Mapping[Precision, Callable[[], object]]) -> dict[Precision, float]:
    """Return the shortest time of each way to compute something, in about a second for all.

    They take turns, so that other programs on the machine slow all of them alike.
    """
    times: dict[Precision, list[float]] = {name: [] for name in ways}
    began = perf_counter()
    for done in range(_MAX_ROUNDS):
        if done >= _MIN_ROUNDS and perf_counter() - began > _MAX_SECONDS:
            break
        for name, way in ways.items():
            started = perf_counter()
            way()
            times[name].append(perf_counter() - started)
    return {name: min(found) for name, found in times.items()}


def dtype_of(precision: Precision) -> torch.dtype:
    """Return the type of a model's weights; with int8, only linear maps leave fp32."""
    return _DTYPES.get(precision, torch.float32)


def require_precision(precision: Precision, device: torch.device) -> None:
    """Raise `ResourceError`, with the reason, if `device` cannot compute in `precision`."""
    kind = device.type
    if precision == "bf16" and not has_bf16(device):
        raise ResourceError(
            f"`precision` bf16: this {kind} has no bf16 instructions, and emulation is many times "
            "slower than fp32; use fp32" + (" or int8" if kind == "cpu" else "")
        )
    if precision == "fp16" and kind == "cpu":
        raise ResourceError("`precision` fp16 is for accelerators; on the CPU use bf16 or int8")
    if precision == "int8" and kind != "cpu":
        raise ResourceError(
            f"`precision` int8 is for the CPU; on {kind} use fp16 or bf16, or `device` cpu"
        )
    if precision == "tf32" and kind != "cuda":
        raise ResourceError(f"`precision` tf32 is for CUDA devices; on {kind} use fp32")


def choose_training_dtype(precision: TrainingPrecision, device: torch.device) -> torch.dtype:
    """Return the autocast type for training; auto takes bf16 if it is faster.

    Raises `ResourceError` for bf16 on a device that would emulate it.
    """
    if precision == "fp32":
        return torch.float32
    if precision == "auto":
        return torch.bfloat16 if is_bf16_faster(device) else torch.float32
    require_precision("bf16", device)
    return torch.bfloat16


@cache
def _product_seconds() -> dict[Precision, float]:
    """Return how long the CPU takes to multiply matrices in fp32 and bf16."""
    ways: dict[Precision, Callable[[], object]] = {}
    for precision in ("fp32", "bf16"):
        dtype = dtype_of(precision)
        states, weight = torch.ones(_TOKENS, _IN, dtype=dtype), torch.ones(_OUT, _IN, dtype=dtype)
        ways[precision] = partial(torch.nn.functional.linear, states, weight)
    return shortest_seconds(ways)
