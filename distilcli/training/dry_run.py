"""The expected cost of a training run: steps, time and memory."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import perf_counter

from distilcli.memory import peak_memory_bytes
from distilcli.training.distill.teacher import AnyTeacher
from distilcli.training.loop import Trainer

_TIMED_STEPS = 3
# A forward pass alone is a third of a step: the backward pass does twice its products.
_FORWARD_SHARE = 1 / 3


@dataclass(frozen=True, slots=True)
class TrainingEstimate:
    """Counts of the whole run, and its expected seconds and bytes."""

    steps: int
    tokens: int
    evaluations: int
    expected_seconds: float
    expected_peak_memory_bytes: int | None


def estimate(
    trainer: Trainer,
    *,
    valid_share: float,
    reads_once: bool = False,
    cached_teacher: AnyTeacher | None = None,
) -> TrainingEstimate:
    """Take a few steps of the run, the largest first, and extrapolate from them.

    `valid_share` is the number of validation rows per training row. If the run `reads_once`, a
    step here is a forward pass of the encoder, which is all that takes time in the run. A
    `cached_teacher` is run here in every step, but only once per row in the run. The model has
    changed afterwards, and cannot be trained.
    """
    sizes, options = trainer.objective.sizes, trainer.options
    steps = trainer.steps.of_epoch(0)
    weight = [sum(sizes[index] for batch in step for index in batch) for step in steps]
    largest = max(range(len(steps)), key=weight.__getitem__)
    timed = range(min(_TIMED_STEPS, len(steps)))
    trainer.step(steps[largest])
    tokens, epoch = sum(weight[index] for index in timed), sum(weight)
    seconds = _seconds(lambda index: trainer.step(steps[index]), timed) / tokens
    evaluations = trainer.steps.evaluations
    learned, validated = epoch * options.passes, epoch * valid_share * evaluations
    if reads_once:
        expected = seconds * epoch * (1 + valid_share)
    else:
        teaching = 0.0
        if cached_teacher is not None:
            teaching = _seconds(lambda index: _ask(cached_teacher, steps[index]), timed) / tokens
        learning = max(0.0, seconds - teaching)
        expected = learning * (learned + validated * _FORWARD_SHARE) + teaching * epoch
    return TrainingEstimate(
        steps=trainer.steps.total,
        tokens=learned,
        evaluations=evaluations,
        expected_seconds=expected,
        expected_peak_memory_bytes=peak_memory_bytes(),
    )


def _seconds(do: Callable[[int], object], indices: Iterable[int]) -> float:
    started = perf_counter()
    for index in indices:
        do(index)
    return perf_counter() - started


def _ask(teacher: AnyTeacher, batches: Iterable[list[int]]) -> None:
    for batch in batches:
        teacher.targets(batch, epoch=0)
