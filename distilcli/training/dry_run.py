"""The expected cost of a training run: steps, time and memory."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

from distilcli.memory import peak_memory_bytes
from distilcli.training.distill.teacher import AnyTeacher
from distilcli.training.loop import Trainer

_TIMED_STEPS = 3
_TIMED_SECONDS = 2.0
# A forward pass alone is a third of a step: the backward pass does twice its products.
_FORWARD_SHARE = 1 / 3


@dataclass(frozen=True, slots=True)
class TrainingEstimate:
    """Counts of the whole run, and its expected seconds and bytes.

    The seconds are those of `timed_steps` that were taken, in proportion to tokens.
    """

    steps: int
    tokens: int
    evaluations: int
    expected_seconds: float
    expected_peak_memory_bytes: int | None
    timed_steps: int


def estimate(
    trainer: Trainer,
    *,
    valid_share: float,
    reads_once: bool = False,
    fits_head: bool = False,
    cached_teacher: AnyTeacher | None = None,
) -> TrainingEstimate:
    """Take a few steps of the run, the largest first, and extrapolate from them.

    `valid_share` is the number of validation rows per training row. If the run `reads_once`, a
    step here is a forward pass of the encoder, which is all that takes time in the run, and if it
    `fits_head` there are no steps. A
    `cached_teacher` is run here in every step, but only once per row in the run. The model has
    changed afterwards, and cannot be trained.
    """
    sizes, options = trainer.objective.sizes, trainer.options
    steps = trainer.steps.of_epoch(0)
    weight = [sum(sizes[index] for batch in step for index in batch) for step in steps]
    largest = max(range(len(steps)), key=weight.__getitem__)
    timed = range(min(_TIMED_STEPS, len(steps)))
    trainer.step(steps[largest])
    epoch = sum(weight)
    taken = _take(lambda index: trainer.step(steps[index]), timed)
    timed = range(taken.steps)
    tokens = sum(weight[index] for index in timed)
    seconds = taken.seconds / tokens
    evaluations = 1 if fits_head else trainer.steps.evaluations
    learned, validated = epoch * options.passes, epoch * valid_share * evaluations
    if reads_once:
        expected = seconds * epoch * (1 + valid_share)
    else:
        teaching = 0.0
        if cached_teacher is not None:
            asked = _take(lambda index: _ask(cached_teacher, steps[index]), timed, limit=math.inf)
            teaching = asked.seconds / tokens
        learning = max(0.0, seconds - teaching)
        expected = learning * (learned + validated * _FORWARD_SHARE) + teaching * epoch
    return TrainingEstimate(
        steps=0 if fits_head else trainer.steps.total,
        tokens=epoch if fits_head else learned,
        evaluations=evaluations,
        expected_seconds=expected,
        expected_peak_memory_bytes=peak_memory_bytes(),
        timed_steps=taken.steps,
    )


class _Taken(NamedTuple):
    """How many steps were taken, and in how many seconds."""

    steps: int
    seconds: float


def _take(
    do: Callable[[int], object], indices: Iterable[int], *, limit: float = _TIMED_SECONDS
) -> _Taken:
    """Time steps, at least one of them, and no further one after so many seconds."""
    started, seconds, done = perf_counter(), 0.0, 0
    for index in indices:
        do(index)
        done += 1
        seconds = perf_counter() - started
        if seconds > limit:
            break
    return _Taken(done, seconds)


def _ask(teacher: AnyTeacher, batches: Iterable[list[int]]) -> None:
    for batch in batches:
        teacher.targets(batch, epoch=0)
