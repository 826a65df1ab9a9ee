"""Which number format a model computes in: what the processor has, and what is fast on it."""

from functools import cache
from time import perf_counter
from typing import Literal

import torch

from distilcli.errors import ResourceError
from distilcli.model.hardware import cpu_flags

Precision = Literal["fp32", "tf32", "bf16", "fp16", "int8"]
TrainingPrecision = Literal["auto", "fp32", "bf16"]

_DTYPES: dict[Precision, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}

# A feed-forward layer of DistilBERT-base over a batch of training.
_TOKENS, _IN, _OUT = 1_024, 768, 3_072
_ROUNDS = 5
_WORTH = 1.1  # bf16 rounds: it has to be faster than fp32 by more than chance


def has_bf16(device: torch.device) -> bool:
    """Say whether `device` multiplies bf16 matrices in hardware.

    A CPU without the instructions emulates them, many times slower than fp32.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        on_x86 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return bool(on_x86 or "bf16" in cpu_flags())
    return False


def is_bf16_faster(device: torch.device) -> bool:
    """Say whether bf16 products are faster on `device` than fp32's.

    A CPU is measured, for a few hundredths of a second: some have the instructions, and half the
    rate with them.
    """
    if device.type != "cpu":
        return has_bf16(device)
    return has_bf16(device) and _bf16_rate() > _WORTH


def dtype_of(precision: Precision) -> torch.dtype:
    """Return the type of a model's weights; int8 is for its linear maps alone."""
    return _DTYPES.get(precision, torch.float32)


def require_precision(precision: Precision, device: torch.device) -> None:
    """Raise `ResourceError`, with the reason, where `device` does not compute in `precision`."""
    kind = device.type
    if precision == "bf16" and not has_bf16(device):
        raise ResourceError(
            f"--precision bf16: this {kind} has no bf16 instructions, emulation would be many "
            "times slower than fp32; use fp32" + (" or int8" if kind == "cpu" else "")
        )
    if precision == "fp16" and kind == "cpu":
        raise ResourceError("--precision fp16 is for accelerators; on the CPU use bf16 or int8")
    if precision == "int8" and kind != "cpu":
        raise ResourceError(
            f"--precision int8 is for the CPU; on {kind} use fp16 or bf16, or add --device cpu"
        )
    if precision == "tf32" and kind != "cuda":
        raise ResourceError(f"--precision tf32 is for CUDA devices; on {kind} use fp32")


def choose_training_dtype(precision: TrainingPrecision, device: torch.device) -> torch.dtype:
    """Return the autocast type for training; auto takes bf16 where it is faster.

    Raises `ResourceError` where bf16 is asked for and would be emulated.
    """
    if precision == "fp32":
        return torch.float32
    if precision == "auto":
        return torch.bfloat16 if is_bf16_faster(device) else torch.float32
    if not has_bf16(device):
        raise ResourceError(
            f"this {device.type} has no bf16 instructions, emulation would be many times slower "
            "than fp32; use --precision fp32"
        )
    return torch.bfloat16


@cache
def _bf16_rate() -> float:
    """Return how many times as fast as in fp32 the CPU multiplies matrices in bf16."""
    return _seconds(torch.float32) / _seconds(torch.bfloat16)


def _seconds(dtype: torch.dtype) -> float:
    """Return the least time of a few matrix products."""
    states, weight = torch.ones(_TOKENS, _IN, dtype=dtype), torch.ones(_OUT, _IN, dtype=dtype)
    times = []
    for _ in range(_ROUNDS):
        started = perf_counter()
        torch.nn.functional.linear(states, weight)
        times.append(perf_counter() - started)
    return min(times)
