"""The settings of a training run that change what is learned; free of torch."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from distilcli.errors import UsageError
from distilcli.training.datasets.columns import Columns

if TYPE_CHECKING:
    from distilcli.model.precision import TrainingPrecision

SCHEDULES = ("linear", "cosine")
_BASE_RATE, _BASE_WIDTH = 5e-5, 768  # BERT's
_MAX_RATE = 5e-4
_TEXTS = ("classify", "multilabel", "regress")
_ONLY_FOR = {
    "class_weights": ("classify", "multilabel"),
    "label_smoothing": ("classify", "tag"),
    "augment": _TEXTS,
    "label_separator": ("multilabel",),
    "options_column": ("choose",),
    "option_columns": ("choose",),
    "pair_column": (*_TEXTS, "qa", "embed"),
    "label_column": (*_TEXTS, "tag", "qa", "embed", "choose"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectiveOptions:
    """How rows are learned, for the tasks that have a choice.

    With `class_weights` "balanced", rows with rare labels count more. `label_smoothing` is the
    share of a label that is spread over all labels. `augment` is the probability that a word is
    dropped in an epoch, and that it is swapped with the next one.
    """

    class_weights: Literal["balanced"] | None = None
    label_smoothing: float = 0.0
    augment: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise `UsageError` for a value out of range."""
        _check(self, ("label_smoothing", "augment"), lambda value: 0 <= value < 1, _BELOW_1)

    def digests(self) -> dict[str, Any]:
        """Return what a run must have in common with the one that it resumes."""
        return {
            "class_weights": self.class_weights,
            "label_smoothing": self.label_smoothing,
            "augment": self.augment,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingOptions:
    """The settings of the optimizer and the loop, for every task.

    `learning_rate` None depends on the model's width (`default_rate`). `warmup` is a share of all
    steps, `token_budget` the maximum of tokens in a batch, padding included. `dropout` replaces
    the model's rates during training; None keeps them. `average` is the decay of a moving average
    of the weights, which is then evaluated and saved (0: off). `evaluate_every` counts steps; None
    evaluates after each epoch. `early_stopping` is the number of evaluations without a better
    score after which the run ends.
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
    precision: "TrainingPrecision" = "auto"
    evaluate_every: int | None = None
    early_stopping: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise `UsageError` for a value out of range, or one that has no effect."""
        counts = ("epochs", "token_budget", "accumulate", "evaluate_every", "early_stopping")
        _check(self, counts, lambda value: value >= 1, "at least 1")
        _check(
            self,
            ("learning_rate", "layer_decay", "clip"),
            lambda value: 0 < value < math.inf,
            "above 0 and finite",
        )
        _check(
            self,
            ("weight_decay", "seed"),
            lambda value: 0 <= value < math.inf,
            "finite, 0 or more",
        )
        _check(self, ("warmup", "average", "dropout"), lambda value: 0 <= value < 1, _BELOW_1)
        if self.schedule not in SCHEDULES:
            raise UsageError(f"`schedule` is {self.schedule}; known are {', '.join(SCHEDULES)}")
        if not (self.freeze in {"nothing", "embeddings", "encoder"} or self.freeze.isdecimal()):
            raise UsageError(
                f"`freeze` is {self.freeze}; known are nothing, embeddings, encoder, or a number "
                "of layers"
            )
        if self.freeze == "encoder":
            for name, default in (("gradient_checkpointing", False), ("layer_decay", 1.0)):
                if getattr(self, name) != default:
                    raise UsageError(
                        f"`{name}` has no effect with a frozen encoder; drop it or `freeze`"
                    )

    def for_width(self, width: int) -> "TrainingOptions":
        """Return the options with a learning rate, that of the width unless one was given."""
        given = self.learning_rate
        return replace(self, learning_rate=default_rate(width) if given is None else given)


def default_rate(width: int) -> float:
    """Return the peak learning rate for a model `width` wide: 5e-5 for 768, more for narrower.

    It goes with the inverse square of the width, up to 5e-4.
    """
    return min(_MAX_RATE, _BASE_RATE * (_BASE_WIDTH / width) ** 2)


def refuse_without_effect(task: str, columns: Columns, options: ObjectiveOptions) -> None:
    """Raise `UsageError` for a setting that was given and has no effect on a task."""
    given: dict[str, object] = {
        "class_weights": options.class_weights,
        "label_smoothing": options.label_smoothing,
        "augment": options.augment,
        "label_separator": columns.separator,
        "options_column": columns.options,
        "option_columns": columns.option_list,
        "pair_column": columns.pair,
        "label_column": columns.label,
    }
    for name, value in given.items():
        tasks = _ONLY_FOR[name]
        if value and task not in tasks:
            raise UsageError(f"`{name}` has no effect on {task}; it is for {', '.join(tasks)}")


_BELOW_1 = "from 0 to below 1"


def _check(
    options: object, names: Iterable[str], holds: Callable[[Any], bool], rule: str
) -> None:
    for name in names:
        value = getattr(options, name)
        if value is not None and not holds(value):
            raise UsageError(f"`{name}` is {value}; it must be {rule}")
