"""What a training run would take: its steps counted, its time and memory expected."""

from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

from distilcli.memory import peak_memory_bytes
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


def estimate(trainer: Trainer, *, valid_share: float) -> TrainingEstimate:
    """Take a few steps of the run, the largest first, and expect the others to be like them.

    `valid_share` is how many rows there are to validate on for one to learn from. The model has
    changed afterwards: what it would have learned is lost.
    """
    sizes, options = trainer.objective.sizes, trainer.options
    steps = trainer.steps_of(0)
    weight = [sum(sizes[index] for batch in step for index in batch) for step in steps]
    largest = max(range(len(steps)), key=weight.__getitem__)
    trainer.step(steps[largest])
    started, timed = perf_counter(), 0
    for number in range(min(_TIMED_STEPS, len(steps))):
        trainer.step(steps[number])
        timed += weight[number]
    seconds = (perf_counter() - started) / timed
    evaluations = trainer.count_evaluations()
    learned, validated = sum(weight) * options.epochs, sum(weight) * valid_share * evaluations
    return TrainingEstimate(
        steps=trainer.count_steps(),
        tokens=learned,
        evaluations=evaluations,
        expected_seconds=seconds * (learned + validated * _FORWARD_SHARE),
        expected_peak_memory_bytes=peak_memory_bytes(),
    )
