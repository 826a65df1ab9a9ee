"""Which device a model runs on, and the proof that it computes what the CPU computes.

A device other than the CPU is trusted only after one small batch, with padding, gave the CPU's
numbers: accelerators have returned wrong numbers under masks without a word.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from distilcli.errors import ResourceError
from distilcli.model.device_name import check_device_name

# Accelerators add in another order than the CPU, and a softmax over few tokens shows it; a wrong
# mask is off by whole units.
_TOLERANCE = 1e-2


@dataclass(frozen=True, slots=True)
class Placement:
    """The device that was chosen, and why, in words for the user."""

    device: torch.device
    reason: str


def place(model: nn.Module, name: str, *, vocab_size: int) -> Placement:
    """Move `model` to the device called `name`: auto, cpu, cuda, cuda:N or mps.

    auto takes the first of cuda and mps that is there and passes the check, else the CPU. Raises
    `UsageError` for another name, `ResourceError` for a device that is asked for and is missing
    or computes something else than the CPU.
    """
    check_device_name(name)
    if name == "cpu":
        return Placement(torch.device("cpu"), "as asked")
    if name != "auto":
        _require(name)
        if fault := _fault(model, torch.device(name), vocab_size=vocab_size):
            raise ResourceError(f"--device {name}: {fault}; use --device cpu")
        return Placement(torch.device(name), "as asked, agrees with the CPU")
    reason = "no accelerator here"
    for device in available_accelerators():
        fault = _fault(model, device, vocab_size=vocab_size)
        if fault is None:
            return Placement(device, "agrees with the CPU")
        reason = f"{device} was passed over: {fault}"
    return Placement(torch.device("cpu"), reason)


def available_accelerators() -> list[torch.device]:
    """Return the accelerators of this machine, the preferred first."""
    found = []
    if torch.cuda.is_available():
        found.append(torch.device("cuda"))
    if torch.backends.mps.is_available():
        found.append(torch.device("mps"))
    return found


def difference_from_cpu(model: nn.Module, device: torch.device, *, vocab_size: int) -> float:
    """Move `model` to `device`; return the largest difference to the CPU on a padded test batch.

    Not-a-number counts as infinitely different.
    """
    was_training = model.training
    model.eval()
    input_ids, attention_mask = padded_test_batch(vocab_size)
    outputs = []
    for place in (torch.device("cpu"), device):
        model.to(place)  # outside inference mode, in which moved weights could never be trained
        with torch.inference_mode():
            outputs.append(model(input_ids.to(place), attention_mask.to(place)).to("cpu"))
    model.train(was_training)
    difference = float((outputs[1] - outputs[0]).abs().max())
    return math.inf if math.isnan(difference) else difference


def _fault(model: nn.Module, device: torch.device, *, vocab_size: int) -> str | None:
    """Move `model` to `device`, or back to the CPU with the reason why it cannot be used."""
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
    """Return ids (3, 16) and a mask that leaves 16, 9 and 2 tokens of the rows."""
    generator = torch.Generator().manual_seed(0)
    input_ids = torch.randint(0, vocab_size, (3, 16), generator=generator)
    attention_mask = (torch.arange(16)[None, :] < torch.tensor([[16], [9], [2]])).long()
    return input_ids, attention_mask


def _require(name: str) -> None:
    device = torch.device(name)
    there = [found.type for found in available_accelerators()]
    if device.type not in there:
        others = ", ".join([*there, "cpu"])
        raise ResourceError(f"--device {name}: there is none on this machine; there is {others}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ResourceError(
            f"--device {name}: there are {torch.cuda.device_count()} CUDA devices, from cuda:0"
        )
