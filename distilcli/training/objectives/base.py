"""The base of all objectives: a training task together with its rows.

Before there is a model, an objective knows its rows, the head that learns from them and how that
head is configured. `prepare` binds it to a model and a tokenizer: it then turns rows into
examples, computes the loss of a batch, and scores the model on the validation rows, with the
engine and the tasks that will run the model later.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from distilcli.checkpoint.config import ModelConfig
from distilcli.engine.batching import Batch, Piece
from distilcli.engine.engine import Engine
from distilcli.engine.task import Task
from distilcli.errors import RowError
from distilcli.model.heads import TaskModel
from distilcli.tasks.settings import BatchOptions
from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.training import distributed
from distilcli.training.data_checks import CheckedRows
from distilcli.training.datasets.classify import UNLABELLED
from distilcli.training.digests import rows_digest
from distilcli.training.objectives.soft_targets import soft_cross_entropy
from distilcli.training.options import ObjectiveOptions
from distilcli.wording import count

Item = TypeVar("Item")
Coded = TypeVar("Coded")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Metric:
    """The score that decides which model is the best."""

    name: str
    lower_is_better: bool = False

    def is_better(self, score: float, best: float | None) -> bool:
        """Say whether `score` beats the best one so far."""
        if best is None:
            return True
        return score < best if self.lower_is_better else score > best


@dataclass(slots=True)
class Example:
    """One training example: the sequences that the model reads; subclasses add the target."""

    pieces: list[Piece]

    @property
    def size(self) -> int:
        """Its positions in a batch of examples like it, padding included."""
        return len(self.pieces) * max(len(piece) for piece in self.pieces)


Rows = TypeVar("Rows")
Model = TypeVar("Model", bound=TaskModel)
AnyExample = TypeVar("AnyExample", bound=Example)
Outputs = TypeVar("Outputs")


class Trainable(Protocol[AnyExample, Outputs]):
    """What the training loop needs: an objective, or one with a teacher added.

    The loss is a mean over units: rows, labelled words or masked tokens, depending on the task.
    The loop asks for all `examples` of a step at once, and averages over their units.
    """

    metric: Metric

    @property
    def sizes(self) -> Sequence[int]:
        """The positions that each example takes in a batch; the same in every epoch."""

    @property
    def row_weights(self) -> Sequence[float] | None:
        """How often each example is read in an epoch; None for once each."""

    def examples(self, indices: Sequence[int], *, epoch: int) -> list[AnyExample]:
        """Return the examples at these indices as the model reads them in an epoch."""

    def units(self, example: AnyExample) -> int:
        """Count the units of an example."""

    @property
    def reaches_head(self) -> bool:
        """Whether the head learns from the loss."""

    def outputs(self, model: Any, batch: Batch, examples: Sequence[AnyExample]) -> Outputs:
        """Run the model on the pieces of `examples`, in order; return what `loss` needs."""

    def loss(self, outputs: Outputs, examples: Sequence[AnyExample]) -> Tensor:
        """Return the loss summed over all units, a scalar.

        If the step is divided among processes, the sum of what each returns is the whole loss.
        """

    def scores(self, device: torch.device) -> dict[str, float]:
        """Score the model, in evaluation mode, on the validation rows.

        Raises `RowError` if the model's outputs are not numbers.
        """


AnyTrainable = Trainable[Any, Any]


class Objective(ABC, Generic[Rows, Model, AnyExample]):
    """A training task with its rows; everything about examples needs `prepare` first.

    `task` is its name, `head` what learns, `noun` what one of its rows is called. `varies` says
    whether examples differ from epoch to epoch. `label_names` are those of the training rows;
    None for tasks without labels. `file_weights` say how often the rows of each file are read in
    an epoch, None for once each.
    """

    task: ClassVar[str]
    head: ClassVar[type[TaskModel]]
    noun: str = "text"
    metric: Metric
    varies: bool = False
    reaches_head: bool = True
    file_weights: Mapping[str, float] | None = None

    # These are set by `prepare`.
    model: Model
    tokenizer: Tokenizer
    max_length: int
    sizes: Sequence[int]
    weights: Tensor | None = None  # of the labels
    _examples: Sequence[AnyExample]

    def __init__(self, train: Rows, valid: Rows, options: ObjectiveOptions | None = None) -> None:
        self.train = train
        self.valid = valid
        self.label_names: tuple[str, ...] | None = getattr(train, "label_names", None)
        self.options = options or ObjectiveOptions()

    @classmethod
    def of(
        cls, train: Rows, valid: Rows, options: ObjectiveOptions, *, start: Path
    ) -> "Objective[Rows, Model, AnyExample]":
        """Return the objective over these rows; `start` is the folder of the initial model."""
        return cls(train, valid, options)

    @abstractmethod
    def checked(self, rows: Rows, name: str) -> CheckedRows:
        """Return the training or the validation rows as the data checks read them."""

    def lengths(self, rows: Rows, tokenizer: Tokenizer) -> list[int] | None:
        """Count the tokens of each row; None if long rows are split rather than cut."""
        return None

    def count(self, rows: Rows) -> int:
        """Count the training or the validation rows that are used."""
        return len(self.checked(rows, "").texts)

    def describe(self) -> str:
        """Say in words what the model is trained and validated on, with the first labels."""
        labels = f"; labels: {', '.join(self.label_names[:10])}" if self.label_names else ""
        learned = count(self.count(self.train), self.noun)
        return f"{learned}, validated on {self.count(self.valid):,}{labels}"

    def configure(self, config: ModelConfig) -> ModelConfig:
        """Return the configuration of the model that learns from these rows."""
        return replace(config, labels=(), problem_type=None, no_answer_threshold=None)

    def set_up(self, model: Model, *, keeps_head: bool) -> None:
        """Fit a new model to the rows; its head is random, or kept from a checkpoint."""

    def companions(self, *, dim: int, max_length: int) -> dict[str, object]:
        """Return the JSON files that belong beside a model of this width, by their paths."""
        return {}

    def digests(self) -> dict[str, object]:
        """Return what identifies rows and options: a run resumes only with the same ones."""
        is_labelled = self.label_names is not None
        names = ([self.label_names],) if is_labelled else ()
        weights = self.file_weights or {}
        return {
            **({"mix": [[name, weights[name]] for name in sorted(weights)]} if weights else {}),
            "training data": rows_digest(*names, self._digested(self.train)),
            "validation data": rows_digest(self._digested(self.valid)),
            **(self.options.digests() if is_labelled else {}),
        }

    def prepare(
        self, model: Model, tokenizer: Tokenizer, *, max_length: int
    ) -> "Objective[Rows, Model, AnyExample]":
        """Return this objective for a model; sequences have at most `max_length` tokens."""
        prepared = copy(self)
        prepared.model, prepared.tokenizer, prepared.max_length = model, tokenizer, max_length
        prepared._examples = prepared._tokenized(model, tokenizer, max_length)
        prepared.sizes = [example.size for example in prepared._examples]
        return prepared

    @property
    def row_weights(self) -> list[float] | None:
        """How often each example is read in an epoch; None for once each."""
        if self.file_weights is None:
            return None
        places = self.checked(self.train, "").places or ()
        weights = [self.file_weights[place[0]] if place else 1.0 for place in places]
        return [weights[row] for row in self.rows_of_examples()]

    def rows_of_examples(self) -> Sequence[int]:
        """Return the index of the training row of each example."""
        return range(len(self._examples))

    def examples(self, indices: Sequence[int], *, epoch: int) -> list[AnyExample]:
        """Return the examples at these indices as the model reads them in an epoch."""
        return [self._examples[index] for index in indices]

    def gold(self, example: AnyExample) -> Sequence[int]:
        """Return the index of the right output of each unit, UNLABELLED where it is unknown.

        Tasks whose units have other gold labels override what is computed from these.
        """
        raise NotImplementedError

    def units(self, example: AnyExample) -> int:
        """Count the units of an example, over which the loss is averaged."""
        return len(self.gold(example))

    def labelled(self, example: AnyExample) -> int:
        """Count the units of an example that have a label; the others have no loss."""
        return sum(index != UNLABELLED for index in self.gold(example))

    @abstractmethod
    def outputs(self, model: Model, batch: Batch, examples: Sequence[AnyExample]) -> Tensor:
        """Return the outputs (units, C) of the pieces of `examples`, in order, in fp32."""

    def loss(self, outputs: Tensor, examples: Sequence[AnyExample]) -> Tensor:
        """Return the loss summed over units, a scalar: the cross-entropy of the right outputs."""
        gold = [index for example in examples for index in self.gold(example)]
        return F.cross_entropy(
            outputs,
            torch.tensor(gold, device=outputs.device),
            weight=None if self.weights is None else self.weights.to(outputs.device),
            label_smoothing=self.options.label_smoothing,
            reduction="sum",
        )

    def soft_loss(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Return the loss between outputs of a student and its teacher, summed over units."""
        return soft_cross_entropy(student, teacher, temperature)

    @abstractmethod
    def scores(self, device: torch.device) -> dict[str, float]:
        """Score the model, in evaluation mode, on the validation rows."""

    @abstractmethod
    def _tokenized(self, model: Model, tokenizer: Tokenizer, max_length: int) -> list[AnyExample]:
        """Turn the training rows into examples, and keep what `scores` needs of the model."""

    def _digested(self, rows: Rows) -> Iterable[object]:
        """Return the values by which rows are identified."""
        assert isinstance(rows, list)  # noqa: S101
        return rows

    def _predictions(
        self, task: Task[Item, Any, Any, Value], items: Iterable[Item], device: torch.device
    ) -> list[Value]:
        """Run items through a task around the model; raise `RowError` for the first that fails.

        Several processes share the items, and all get the values of all.
        """
        batches = BatchOptions()
        engine = Engine(
            task,
            pad_token_id=self.model.config.pad_token_id,
            devices=[device],
            workers=torch.get_num_threads() if device.type == "cpu" else 1,
            max_tokens=batches.tokens_on(device.type),
            on_error="stop",
        )
        with closing(engine.run(distributed.share(list(items)))) as blocks:
            outcomes = [outcome for block in blocks for outcome in block]
        return distributed.joined(
            [outcome.value for outcome in outcomes if outcome.value is not None]
        )


def encoded_all(
    encode: Callable[[Sequence[Item]], Sequence[Coded | RowError]], items: Sequence[Item]
) -> list[Coded]:
    """Tokenize items as a task does; raise the `RowError` of the first that cannot be."""
    found: list[Coded] = []
    for encoded in encode(items):
        if isinstance(encoded, RowError):
            raise encoded
        found.append(encoded)
    return found
