"""Which precision `auto` is: the fastest on this machine of those that agree with fp32.

Speeds and verdicts are kept for later runs, for each model, processor, device and version.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import torch

from distilcli.findings import Finding
from distilcli.model.hardware import read_machine
from distilcli.model.heads import TaskModel
from distilcli.model.precision import REDUCED, fastest
from distilcli.model.precision_name import Precision
from distilcli.model.speed import layer_seconds
from distilcli.predictors.agreement import Agreement

_OF_MACHINE = ("cpu", "cpu_flags", "device", "torch", "distil")


def model_here(digest: str, device: torch.device) -> dict[str, object]:
    """Return what findings are about: a model on this machine, with these versions."""
    machine = asdict(read_machine(device))
    return {"model": digest, **{name: machine[name] for name in _OF_MACHINE}}


def agreement_of(
    precision: Precision, about: Mapping[str, object], *, predictor: str, required: float
) -> Agreement:
    """Return how far a precision agrees, with the verdict of an earlier run if there is one.

    Where nothing is required there is no verdict: such runs check again, and refuse nothing.
    """
    details = {"precision": precision, "predictor": predictor, "required": required}
    finding = Finding("agreement", {**about, **details}) if required else None
    return Agreement(required, precision=precision, finding=finding)


def choose_precision(
    model: TaskModel,
    device: torch.device,
    about: Mapping[str, object],
    agreement: Callable[[Precision], Agreement],
) -> tuple[Precision, str]:
    """Return the fastest precision that no earlier run found not to agree, and why, in words.

    `model` is on `device` in fp32. Speeds are measured for about a second, once.
    """
    finding = Finding("speed", about)
    seconds = finding.read(_parse)
    if seconds is None:
        seconds = layer_seconds(model, device)
        finding.write(seconds)
    agreeing = {
        each: found
        for each, found in seconds.items()
        if each == "fp32" or agreement(each).can_be_enough
    }
    best = fastest(agreeing)
    left_out = [each for each in seconds if each not in agreeing]
    why = (
        "the fastest here"
        if best == "fp32"
        else f"{seconds['fp32'] / seconds[best]:.1f} times as fast as fp32 here"
    )
    if left_out:
        why += f" (without {' and '.join(left_out)}, which disagreed with fp32 in an earlier run)"
    return best, why


def _parse(found: Any) -> dict[Precision, float]:
    seconds: dict[Precision, float] = {"fp32": float(found["fp32"])}
    seconds |= {each: float(found[each]) for each in REDUCED if each in found}
    if any(not each > 0 for each in seconds.values()):
        raise ValueError
    return seconds
