"""Where a model runs, and the check that it computes there what it computes on the CPU.

Another device is used only after a small padded batch gave the CPU's numbers: accelerators have
silently returned wrong numbers under masks.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from distilcli.errors import ResourceError, UsageError
from distilcli.model.device_name import ALL_CUDA, check_device_name

Model = TypeVar("Model", bound=nn.Module)

# Accelerators sum in another order than the CPU, which shows in a softmax over few tokens; a wrong
# mask is off by whole units.
_TOLERANCE = 1e-2


@dataclass(frozen=True, slots=True)
class Placement:
    """The chosen device, and the reason in words for the user."""

    device: torch.device
    reason: str


def place(model: nn.Module, name: str, *, vocab_size: int) -> Placement:
    """Move `model` to the device called `name`: auto, cpu, cuda, cuda:N or mps.

    auto takes the first available of cuda and mps that passes the check, else the CPU. Raises
    `UsageError` for an unknown name and for several devices, `ResourceError` for a named device
    that is missing or does not agree with the CPU.
    """
    check_device_name(name)
    if name == ALL_CUDA:
        raise UsageError(f"`device` {name}: this takes one device; name it, such as cuda:0")
    if name == "cpu":
        return Placement(torch.device("cpu"), "as asked")
    if name != "auto":
        _require(name)
        if fault := _fault(model, torch.device(name), vocab_size=vocab_size):
            raise ResourceError(f"`device` {name}: {fault}; use `device` cpu")
        return Placement(torch.device(name), "as asked, agrees with the CPU")
    reason = "no accelerator here"
    for device in available_accelerators():
        fault = _fault(model, device, vocab_size=vocab_size)
        if fault is None:
            return Placement(device, "agrees with the CPU")
        reason = f"{device} was passed over: {fault}"
    return Placement(torch.device("cpu"), reason)


def place_copies(model: Model, name: str, *, vocab_size: int) -> list[tuple[Model, Placement]]:
    """Move `model` to the device called `name`, or with cuda:all a copy to every CUDA device.

    Each copy is checked. Raises what `place` raises.
    """
    if name != ALL_CUDA:
        return [(model, place(model, name, vocab_size=vocab_size))]
    _require(name)
    names = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    copies = [model, *(copy.deepcopy(model) for _ in names[1:])]
    placed = [
        place(each, one, vocab_size=vocab_size) for each, one in zip(copies, names, strict=True)
    ]
    if len(placed) == 1:
        placed = [replace(placed[0], reason="the only GPU here, agrees with the CPU")]
    return list(zip(copies, placed, strict=True))


def names_of(devices: Sequence[torch.device]) -> str:
    """Return the names of devices with commas between them: `cuda:0, cuda:1`."""
    return ", ".join(map(str, devices))


def available_accelerators() -> list[torch.device]:
    """Return the accelerators of this machine, the preferred one first."""
    found = []
    if torch.cuda.is_available():
        found.append(torch.device("cuda"))
    if torch.backends.mps.is_available():
        found.append(torch.device("mps"))
    return found


def difference_from_cpu(model: nn.Module, device: torch.device, *, vocab_size: int) -> float:
    """Move `model` to `device`; return the largest difference from the CPU on a padded test batch.

    NaN counts as infinitely different.
    """
    was_training = model.training
    model.eval()
    input_ids, attention_mask = padded_test_batch(vocab_size)
    outputs = []
    for where in (torch.device("cpu"), device):
        model.to(where)  # outside inference mode: weights moved within it could never be trained
        with torch.inference_mode():
            outputs.append(model(input_ids.to(where), attention_mask.to(where)).to("cpu"))
    model.train(was_training)
    difference = float((outputs[1] - outputs[0]).abs().max())
    return math.inf if math.isnan(difference) else difference


def _fault(model: nn.Module, device: torch.device, *, vocab_size: int) -> str | None:
    """Move `model` to `device`; if that cannot be used, move it back and return the reason."""
    try:
        difference = difference_from_cpu(model, device, vocab_size=vocab_size)
    except RuntimeError as error:  # no kernels for this card, no memory left on it, ...
        fault = f"it fails on a test batch ({str(error).splitlines()[0]})"
    else:
        if difference <= _TOLERANCE:
            return None
        fault = f"its numbers differ from the CPU's by {difference:.2g} on a test batch"
    model.to("cpu")
    return fault


def padded_test_batch(vocab_size: int) -> tuple[Tensor, Tensor]:
    """Return ids (3, 16) and the mask of rows of 16, 9 and 2 tokens."""
    generator = torch.Generator().manual_seed(0)
    input_ids = torch.randint(0, vocab_size, (3, 16), generator=generator)
    attention_mask = (torch.arange(16)[None, :] < torch.tensor([[16], [9], [2]])).long()
    return input_ids, attention_mask


def _require(name: str) -> None:
    device = torch.device("cuda" if name == ALL_CUDA else name)
    available = [found.type for found in available_accelerators()]
    if device.type not in available:
        others = ", ".join([*available, "cpu"])
        raise ResourceError(f"`device` {name}: not on this machine; use {others}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        last = torch.cuda.device_count() - 1
        raise ResourceError(f"`device` {name}: not on this machine; the last is cuda:{last}")
