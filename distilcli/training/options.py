"""The settings of a training run, by what they are about, with their checks; free of torch.

Both faces take them from here: `distil finetune` as options, Python by name.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Literal

from distilcli.errors import UsageError
from distilcli.gold.columns import Columns
from distilcli.rows.data import Data, is_files, open_data
from distilcli.rows.reader import RowSource
from distilcli.setting import setting
from distilcli.training.mixture import Mixture, TrainingRows, parse_mix

SCHEDULES = ("linear", "cosine")
_BASE_RATE, _BASE_WIDTH = 5e-5, 768  # BERT's
_MAX_RATE = 5e-4
DEFAULT_EPOCHS = 3
_MOST_EPOCHS = 20
_ROWS_READ = 20_000  # in all epochs together, if rows are few


@dataclass(frozen=True, kw_only=True, slots=True)
class DataOptions:
    """Which rows are read, and which of their columns."""

    topic: ClassVar[str] = "Input"

    files: Data = ()
    mix: str | Sequence[str] | None = None
    valid: Data | None = None
    valid_split: float | None = setting(
        None, "Without --valid: share of the rows set aside (default: 0.1).", min=0.001, max=0.9
    )
    text_column: str | None = None
    join: str | None = None
    pair_column: str | None = None
    negative_column: str | None = setting(
        None,
        "For embed: column with a text that does not belong to the first one (a hard negative).",
        metavar="NAME",
    )
    label_column: str | None = setting(
        None,
        "Column with the label, number or answer; for embed, with the similarity (without one, "
        "pairs are texts that belong together).",
        metavar="NAME",
    )
    label_separator: str | None = setting(
        None,
        "Separator of the labels in a cell, for multilabel (default: detected).",
        metavar="CHAR",
    )
    label_columns: str | Sequence[str] | None = None
    labels: str | Sequence[str] | None = None
    options_column: str | None = None
    option_columns: str | Sequence[str] | None = None
    input_format: str | None = None
    encoding: str = "utf-8"
    delimiter: str | None = None
    no_header: bool = False
    word_column: int | None = None
    keep_empty: bool = setting(False, "Also learn from rows with an empty text.")
    limit: int | None = setting(
        None, "Read only the first N rows, and the first N of --valid.", min=0
    )

    def __post_init__(self) -> None:
        """Raise `UsageError` for settings that exclude each other."""
        if self.mix and _is_given(self.files):
            raise UsageError("files and `mix` do not go together; give all training rows in one")
        if self.valid is not None and self.valid_split is not None:
            raise UsageError("`valid` and `valid_split` exclude each other; give one of them")

    def open(self) -> tuple[TrainingRows, RowSource | None]:
        """Open the training and the validation rows, None if they are to be split."""
        settings = {
            "input_format": self.input_format,
            "text_column": self.text_column,
            "join": self.join,
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "no_header": self.no_header,
            "word_column": self.word_column,
            "limit": self.limit,
        }
        train = (
            Mixture(parse_mix(self.mix), settings)
            if self.mix
            else open_data(self.files, name="the training rows", **settings)
        )
        if self.valid is None:
            return train, None
        return train, open_data(self.valid, name="the validation rows", **settings)

    @property
    def columns(self) -> Columns:
        """The columns that were named."""
        return Columns(
            text_column=self.text_column,
            pair_column=self.pair_column,
            negative_column=self.negative_column,
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

    topic: ClassVar[str] = "Model"

    model: str | None = setting(
        None,
        "Initial model: a folder, hub id or built-in (default: the built-in mini, or half of the "
        "teacher's layers).",
        "--model",
        "-m",
        metavar="MODEL",
    )
    fold: bool = setting(False, "Turn a BERT into a DistilBERT, without token types and pooler.")
    student_layers: str | None = setting(
        None, "Keep only these layers of the model or teacher: 0,2,4,7,9,11.", metavar="LAYERS"
    )
    student: str | None = setting(
        None, "Start from random weights of these sizes: dim=256,n_layers=4.", metavar="SIZES"
    )
    positions: int | None = setting(
        None, "Resize the model to this maximum number of tokens.", min=8
    )
    position_growth: Literal["copy", "interpolate"] | None = setting(
        None, "How to fill new positions: copy the learned ones (default) or interpolate."
    )
    add_tokens: str | Sequence[str] | None = None
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
    """How rows are learned, for the tasks that have a choice."""

    topic: ClassVar[str] = "Training"

    class_weights: Literal["balanced"] | None = setting(None, "Give rare labels more weight.")
    label_smoothing: float = setting(
        0.0, "Share of each label that is spread over all labels.", min=0, max=0.9
    )
    augment: float = setting(
        0.0, "Probability of dropping each word, and of swapping it with the next.", min=0, max=0.9
    )
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise `UsageError` for a value out of range."""
        _check(self, ("label_smoothing", "augment"), lambda value: 0 <= value < 1, _BELOW_1)

    def digests(self) -> dict[str, object]:
        """Return what a run must have in common with the one that it resumes."""
        names = ("class_weights", "label_smoothing", "augment")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingOptions:
    """The settings of the optimizer and the loop, for every task.

    `learning_rate` None depends on the model's width (`default_rate`). The moving average of the
    weights, if there is one, is evaluated and saved in place of the last weights.
    """

    topic: ClassVar[str] = "Training"

    epochs: int | None = setting(
        None,
        "Passes over the training rows (default: 3; up to 20 for texts if rows are few).",
        min=1,
    )
    learning_rate: float | None = setting(
        None,
        "Peak learning rate (default: 5e-5 for a model 768 wide, 2e-4 for 384).",
        "--learning-rate",
        "--lr",
        min=0,
    )
    schedule: Literal["linear", "cosine"] = setting(
        "linear", "Decay of the learning rate after the warm-up."
    )
    warmup: float = setting(0.06, "Share of the steps with a rising learning rate.", min=0, max=1)
    weight_decay: float = setting(0.01, "Weight decay, except for norms and biases.", min=0)
    layer_decay: float = setting(
        1.0, "Learning-rate factor per layer, from top to bottom.", min=0.1, max=1
    )
    clip: float = setting(1.0, "Maximum norm of the gradients.", min=0.001)
    token_budget: int = setting(
        1_024,
        "Maximum tokens per batch, padding included.",
        "--max-tokens",
        also=("--token-budget",),
        topic="Speed",
        min=8,
    )
    accumulate: int = setting(1, "Batches per optimizer step.", min=1)
    gradient_checkpointing: bool = setting(
        False, "Save memory by recomputing each block in the backward pass."
    )
    freeze: str = setting(
        "nothing",
        "What not to train: nothing, embeddings (the token table), N (the lowest N layers), or "
        "encoder: all but the head.",
        metavar="WHAT",
    )
    dropout: float | None = setting(
        None, "Dropout rate (default: the model's own; 0 suits short runs).", min=0, max=0.9
    )
    average: float = setting(
        0.0, "Decay of a moving average of the weights; 0 turns it off.", min=0, max=0.99999
    )
    precision: Literal["auto", "fp32", "bf16"] = setting(
        "auto", "auto: bf16 autocast where it is faster."
    )
    evaluate_every: int | None = setting(
        None, "Steps between evaluations (default: one per epoch).", "--eval-every", min=1
    )
    early_stopping: int | None = setting(
        None, "Stop after N evaluations without improvement.", min=1
    )
    seed: int = setting(0, "Random seed.", min=0, max=2**32 - 1)

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
        _check(self, ("weight_decay", "seed"), lambda value: 0 <= value < math.inf, _NOT_BELOW_0)
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

    @property
    def passes(self) -> int:
        """The number of epochs."""
        return self.epochs or DEFAULT_EPOCHS

    def for_rows(self, count: int) -> "TrainingOptions":
        """Return the options with a number of epochs, that of so many rows unless one was given.

        Few rows are read more often, so that the model takes about as many steps.
        """
        few = min(_MOST_EPOCHS, -(-_ROWS_READ // max(1, count)))
        return replace(self, epochs=self.epochs or max(DEFAULT_EPOCHS, few))

    def for_width(self, width: int) -> "TrainingOptions":
        """Return the options with a learning rate, that of the width unless one was given."""
        given = self.learning_rate
        return replace(self, learning_rate=default_rate(width) if given is None else given)


@dataclass(frozen=True, kw_only=True, slots=True)
class DistillationOptions:
    """The temperature, and the weight of each part of the loss; the defaults are DistilBERT's."""

    topic: ClassVar[str] = "Distillation"

    temperature: float = setting(2.0, "Temperature of the teacher's soft labels.")
    alpha_ce: float = setting(5.0, "Weight of the teacher's soft labels.")
    alpha_task: float = setting(2.0, "Weight of the rows' own labels.")
    alpha_cos: float = setting(1.0, "Weight of the cosine of the last hidden states.")
    alpha_hidden: float = setting(0.0, "Weight of the squared error of all hidden states.")
    alpha_attention: float = setting(0.0, "Weight of the squared error of the attention.")

    def __post_init__(self) -> None:
        """Raise `UsageError` for a value out of range, or if nothing would be learned."""
        names = [each.name for each in fields(self)]
        _check(self, names, lambda value: 0 <= value < math.inf, _NOT_BELOW_0)
        _check(self, ("temperature",), lambda value: value > 0, "above 0")
        if not any(getattr(self, name) for name in names if name != "temperature"):
            raise UsageError("`alpha_ce` and all other weights are 0; nothing would be learned")


@dataclass(frozen=True, kw_only=True, slots=True)
class TeacherOptions:
    """The teacher, or what it said, and the folder that keeps its outputs."""

    topic: ClassVar[str] = "Distillation"

    teacher: str | None = setting(
        None,
        "Also learn from a bigger BERT or DistilBERT trained for the task; rows then need no "
        "labels.",
        metavar="MODEL",
    )
    teacher_scores: str | None = setting(
        None,
        "Also learn from another model's probabilities of the labels: columns score_LABEL, for the "
        "training rows in order or for the same texts.",
        metavar="FILE",
    )
    teacher_vectors: str | None = setting(
        None,
        "Also learn from another model's vectors of the training rows, for embed (.npy).",
        metavar="FILE",
    )
    teacher_cache: str | None = setting(
        None, "Keep the teacher's outputs in DIR for further runs.", metavar="DIR"
    )


def default_rate(width: int) -> float:
    """Return the peak learning rate for a model `width` wide: 5e-5 for 768, more for narrower.

    It goes with the inverse square of the width, up to 5e-4.
    """
    return min(_MAX_RATE, _BASE_RATE * (_BASE_WIDTH / width) ** 2)


def _is_given(files: Data) -> bool:
    return not is_files(files) or bool(files)


def _names(several: str | Sequence[str] | None) -> tuple[str, ...]:
    names = several.split(",") if isinstance(several, str) else several or ()
    return tuple(filter(None, map(str.strip, names)))


_BELOW_1, _NOT_BELOW_0 = "from 0 to below 1", "finite, 0 or more"


def _check(
    options: object, names: Iterable[str], holds: Callable[[float], bool], rule: str
) -> None:
    for name in names:
        value = getattr(options, name)
        if value is not None and not holds(value):
            raise UsageError(f"`{name}` is {value}; it must be {rule}")
