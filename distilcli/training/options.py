"""The settings of a training run, by what they are about, with their checks; free of torch."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from distilcli.errors import UsageError
from distilcli.gold.columns import Columns
from distilcli.rows.data import Data, open_data
from distilcli.rows.reader import RowSource

if TYPE_CHECKING:
    from distilcli.model.precision import TrainingPrecision

SCHEDULES = ("linear", "cosine")
_BASE_RATE, _BASE_WIDTH = 5e-5, 768  # BERT's
_MAX_RATE = 5e-4


@dataclass(frozen=True, kw_only=True, slots=True)
class DataOptions:
    """Where training and validation rows are, and how files are read.

    Without `valid`, a share of `valid_split` of the training rows is set aside, 0.1 by default.
    `limit` takes the first rows of the training data, and of the validation data. Rows with an
    empty text are left out unless `keep_empty`.
    """

    files: Data
    valid: Data | None = None
    valid_split: float | None = None
    text_column: str | None = None
    pair_column: str | None = None
    label_column: str | None = None
    label_separator: str | None = None
    label_columns: str | Sequence[str] | None = None
    labels: str | Sequence[str] | None = None
    options_column: str | None = None
    option_columns: str | Sequence[str] | None = None
    input_format: str | None = None
    encoding: str = "utf-8"
    delimiter: str | None = None
    no_header: bool = False
    word_column: int | None = None
    keep_empty: bool = False
    limit: int | None = None

    def __post_init__(self) -> None:
        """Raise `UsageError` for settings that exclude each other."""
        if self.valid is not None and self.valid_split is not None:
            raise UsageError("`valid` and `valid_split` exclude each other; give one of them")

    def open(self) -> tuple[RowSource, RowSource | None]:
        """Open the training and the validation rows, None if they are to be split."""
        settings = {
            "input_format": self.input_format,
            "text_column": self.text_column,
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "no_header": self.no_header,
            "word_column": self.word_column,
            "limit": self.limit,
        }
        train = open_data(self.files, name="the training rows", **settings)
        if self.valid is None:
            return train, None
        return train, open_data(self.valid, name="the validation rows", **settings)

    @property
    def columns(self) -> Columns:
        """The columns that were named."""
        return Columns(
            text_column=self.text_column,
            pair_column=self.pair_column,
            label_column=self.label_column,
            options_column=self.options_column,
            option_columns=_names(self.option_columns),
            label_separator=self.label_separator,
            label_columns=_names(self.label_columns),
            labels=_names(self.labels),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class StartOptions:
    """The model to start from, and how its architecture is changed first."""

    model: str | None = None
    fold: bool = False
    student_layers: str | None = None
    student: str | None = None
    positions: int | None = None
    position_growth: Literal["copy", "interpolate"] | None = None
    prune_heads: Sequence[str] | None = None
    max_length: int | None = None

    def __post_init__(self) -> None:
        """Raise `UsageError` for settings that do not go together."""
        if self.position_growth is not None and self.positions is None:
            raise UsageError("`position_growth` needs `positions`; add it")
        changes = (self.student_layers, self.fold, self.positions, self.prune_heads)
        if self.student and any(changes):
            raise UsageError(
                "`student` makes a new model with random weights; drop what changes a model"
            )


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

    def digests(self) -> dict[str, object]:
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


@dataclass(frozen=True, kw_only=True, slots=True)
class DistillationOptions:
    """The temperature, and the weight of each part of the loss; the defaults are DistilBERT's."""

    temperature: float = 2.0
    alpha_ce: float = 5.0
    alpha_task: float = 2.0
    alpha_cos: float = 1.0
    alpha_hidden: float = 0.0
    alpha_attention: float = 0.0

    def __post_init__(self) -> None:
        """Raise `UsageError` for a value out of range, or if nothing would be learned."""
        names = [each.name for each in fields(self)]
        _check(self, names, lambda value: 0 <= value < math.inf, "finite, 0 or more")
        _check(self, ("temperature",), lambda value: value > 0, "above 0")
        if not any(getattr(self, name) for name in names if name != "temperature"):
            raise UsageError("`alpha_ce` and all other weights are 0; nothing would be learned")


@dataclass(frozen=True, kw_only=True, slots=True)
class TeacherOptions:
    """The teacher, and the folder that keeps its outputs."""

    teacher: str | None = None
    teacher_cache: str | None = None


def default_rate(width: int) -> float:
    """Return the peak learning rate for a model `width` wide: 5e-5 for 768, more for narrower.

    It goes with the inverse square of the width, up to 5e-4.
    """
    return min(_MAX_RATE, _BASE_RATE * (_BASE_WIDTH / width) ** 2)


def _names(several: str | Sequence[str] | None) -> tuple[str, ...]:
    names = several.split(",") if isinstance(several, str) else several or ()
    return tuple(filter(None, map(str.strip, names)))


_BELOW_1 = "from 0 to below 1"


def _check(options: object, names: Iterable[str], holds: Callable[[Any], bool], rule: str) -> None:
    for name in names:
        value = getattr(options, name)
        if value is not None and not holds(value):
            raise UsageError(f"`{name}` is {value}; it must be {rule}")
