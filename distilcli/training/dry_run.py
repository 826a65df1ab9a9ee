"""What a training run would take: its steps counted, its time and memory expected."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

from distilcli.memory import peak_memory_bytes
from distilcli.training.distill.teacher import Teaching
from distilcli.training.loop import Trainer

_TIMED_STEPS = 3
# A forward pass alone is a third of a step: the backward pass does twice its products.
_FORWARD_SHARE = 1 / 3


@dataclass(frozen=True, slots=True)
class TrainingEstimate:
    """Counts of the whole run, and the seconds and bytes that it is expected to take."""

    steps: int
    tokens: int
    evaluations: int
    expected_seconds: float
    expected_peak_memory_bytes: int | None

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain JSON values."""
        return asdict(self)


def estimate(
    trainer: Trainer,
    *,
    valid_share: float,
    reads_once: bool = False,
    asked_once: Teaching | None = None,
) -> TrainingEstimate:
    """Take a few steps of the run, the largest first, and expect the others to be like them.

    `valid_share` is how many rows there are to validate on for one to learn from. If the run
    `reads_once`, a step here is a reading, and the steps of the run itself are nothing beside it;
    a teacher `asked_once` is asked here in every step, and in the run ahead of them. The model has
    changed afterwards: what it would have learned is lost.
    """
    sizes, options = trainer.objective.sizes, trainer.options
    steps = trainer.steps_of(0)
    weight = [sum(sizes[index] for batch in step for index in batch) for step in steps]
    largest = max(range(len(steps)), key=weight.__getitem__)
    timed = range(min(_TIMED_STEPS, len(steps)))
    trainer.step(steps[largest])
    tokens, epoch = sum(weight[number] for number in timed), sum(weight)
    seconds = _seconds(lambda number: trainer.step(steps[number]), timed) / tokens
    evaluations = trainer.count_evaluations()
    learned, validated = epoch * options.epochs, epoch * valid_share * evaluations
    if reads_once:
        expected = seconds * epoch * (1 + valid_share)
    else:
        asking = 0.0
        if asked_once is not None:
            asking = _seconds(lambda number: _ask(asked_once, steps[number]), timed) / tokens
        learning = max(0.0, seconds - asking)
        expected = learning * (learned + validated * _FORWARD_SHARE) + asking * epoch
    return TrainingEstimate(
        steps=trainer.count_steps(),
        tokens=learned,
        evaluations=evaluations,
        expected_seconds=expected,
        expected_peak_memory_bytes=peak_memory_bytes(),
    )


def _seconds(do: Callable[[int], object], numbers: Iterable[int]) -> float:
    started = perf_counter()
    for number in numbers:
        do(number)
    return perf_counter() - started


def _ask(teacher: Teaching, batches: Iterable[list[int]]) -> None:
    for batch in batches:
        teacher.targets(batch, epoch=0)
