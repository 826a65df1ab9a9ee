"""Which device a model runs on, and the proof that it computes what the CPU computes.

A device other than the CPU is trusted only after one small batch, with padding, gave the CPU's
numbers: accelerators have returned wrong numbers under masks without a word.
"""

import re
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from distilcli.errors import ResourceError, UsageError

# Accelerators add in another order than the CPU, and a softmax over few tokens shows it; a wrong
# mask is off by whole units.
_TOLERANCE = 1e-2
_NAME = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


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
    if not _NAME.fullmatch(name):
        raise UsageError(f"--device {name}: known are auto, cpu, cuda, cuda:N and mps")
    if name == "cpu":
        return Placement(torch.device("cpu"), "as asked")
    if name != "auto":
        _require(name)
        error = difference_from_cpu(model, torch.device(name), vocab_size=vocab_size)
        if error > _TOLERANCE:
            raise ResourceError(
                f"--device {name}: its numbers differ from the CPU's by {error:.2g} on a test "
                "batch; use --device cpu"
            )
        return Placement(torch.device(name), "as asked, agrees with the CPU")
    reason = "no accelerator here"
    for device in available_accelerators():
        error = difference_from_cpu(model, device, vocab_size=vocab_size)
        if error <= _TOLERANCE:
            return Placement(device, "agrees with the CPU")
        model.to("cpu")
        reason = f"{device} differs from it by {error:.2g} on a test batch"
    return Placement(torch.device("cpu"), reason)


def available_accelerators() -> list[torch.device]:
    """Return the accelerators of this machine, the preferred first."""
    found = []
    if torch.cuda.is_available():
        found.append(torch.device("cuda"))
    if torch.backends.mps.is_available():
        found.append(torch.device("mps"))
    return found


@torch.inference_mode()
def difference_from_cpu(model: nn.Module, device: torch.device, *, vocab_size: int) -> float:
    """Move `model` to `device`; return the largest difference to the CPU on a padded test batch.

    Not-a-number counts as infinitely different.
    """
    was_training = model.training
    model.eval()
    input_ids, attention_mask = _test_batch(vocab_size)
    expected = model.to("cpu")(input_ids, attention_mask)
    found = model.to(device)(input_ids.to(device), attention_mask.to(device)).to("cpu")
    model.train(was_training)
    difference = float((found - expected).abs().max())
    return float("inf") if difference != difference else difference  # noqa: PLR0124


def _test_batch(vocab_size: int) -> tuple[Tensor, Tensor]:
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
