"""The settings of a training run that change what is learned."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from distilcli.errors import UsageError
from distilcli.model.precision import TrainingPrecision
from distilcli.training.optimizer import SCHEDULES

_BASE_RATE, _BASE_WIDTH = 5e-5, 768  # BERT's, for the size that it was found for
_HIGHEST_RATE = 5e-4


def usual_rate(width: int) -> float:
    """Return the peak learning rate for a model `width` wide: 5e-5 for 768, more for less.

    It goes with the inverse square of the width, up to 5e-4.
    """
    return min(_HIGHEST_RATE, _BASE_RATE * (_BASE_WIDTH / width) ** 2)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingOptions:
    """Every setting of a run that changes what is learned, whatever the task.

    `learning_rate` None is chosen by the model's width (`usual_rate`). `warmup` is a share of all
    steps; `token_budget` counts tokens in a batch, padding included;
    `dropout` replaces every rate of the model while it learns, None keeps them; `average` is the
    decay of a moving average of the weights, which is then what is evaluated and saved (0 turns
    it off); `evaluate_every` counts steps, None means once an epoch; `early_stopping` is how many
    evaluations without a better score end the run.
    """

    epochs: int = 3
    learning_rate: float | None = None
    schedule: str = "linear"
    warmup: float = 0.06
    weight_decay: float = 0.01
    layer_decay: float = 1.0
    clip: float = 1.0
    token_budget: int = 1_024
    accumulate: int = 1
    gradient_checkpointing: bool = False
    freeze: str = "nothing"
    dropout: float | None = None
    average: float = 0.0
    precision: TrainingPrecision = "auto"
    evaluate_every: int | None = None
    early_stopping: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise `UsageError` for a setting under which nothing could be learned."""
        counts = ("epochs", "token_budget", "accumulate", "evaluate_every", "early_stopping")
        rules: tuple[tuple[Iterable[str], Callable[[Any], bool], str], ...] = (
            (counts, lambda value: value is None or value >= 1, "at least 1"),
            (
                ("learning_rate", "layer_decay", "clip"),
                lambda value: value is None or 0 < value < math.inf,
                "above 0 and finite",
            ),
            (("weight_decay", "seed"), lambda value: 0 <= value < math.inf, "finite, 0 or more"),
            (
                ("warmup", "average", "dropout"),
                lambda value: value is None or 0 <= value < 1,
                "from 0 to below 1",
            ),
        )
        for names, holds, rule in rules:
            for name in names:
                if not holds(value := getattr(self, name)):
                    option = name.replace("_", "-")
                    raise UsageError(f"--{option} is {value}; it must be {rule}")
        if self.schedule not in SCHEDULES:
            known = ", ".join(SCHEDULES)
            raise UsageError(f"--schedule {self.schedule}: known are {known}")
        if not (self.freeze in {"nothing", "embeddings", "encoder"} or self.freeze.isdecimal()):
            raise UsageError(
                f"--freeze {self.freeze}: known are nothing, embeddings, encoder, or a number of "
                "layers"
            )

    def peak_rate(self, width: int) -> float:
        """Return the learning rate that was named, or the usual one for a model `width` wide."""
        return usual_rate(width) if self.learning_rate is None else self.learning_rate

    def for_width(self, width: int) -> "TrainingOptions":
        """Return the same with the learning rate in it, whether one was named or not."""
        return replace(self, learning_rate=self.peak_rate(width))
