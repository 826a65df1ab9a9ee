"""A lesson: one task with its rows, as the training loop needs to know it.

A `Lesson` is what there is before there is a model: the rows, and the head that is to learn from
them. With a tokenizer and the model's limits it becomes an objective, which turns rows into
examples, gives the loss of a batch, and scores the model on the rows to validate on, through the
engine and the tasks that will use the model later.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

import torch
from torch import Tensor

from distilcli.checkpoint.config import ModelConfig
from distilcli.engine.batching import Batch, Piece
from distilcli.engine.engine import Engine
from distilcli.engine.task import Task
from distilcli.errors import RowError
from distilcli.model.heads import TaskModel
from distilcli.tasks.settings import BatchOptions
from distilcli.tokenizer.tokenizer import Tokenizer

Item = TypeVar("Item")
Coded = TypeVar("Coded")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Metric:
    """The score by which the best model is known."""

    name: str
    lower_is_better: bool = False

    def is_better(self, score: float, best: float | None) -> bool:
        """Say whether `score` beats the best one so far."""
        if best is None:
            return True
        return score < best if self.lower_is_better else score > best


@dataclass(slots=True)
class Example:
    """One thing to learn from: the sequences that the model reads of it.

    A lesson subclasses it with what the model should say.
    """

    pieces: list[Piece]

    @property
    def size(self) -> int:
        """The positions that it takes in a batch of its own kind, padding included."""
        return len(self.pieces) * max(len(piece) for piece in self.pieces)


class Objective(Protocol):
    """What the loop asks of a lesson that is ready to be learned.

    `outputs` and `loss` speak of units: what the mean of the loss is over. A unit is a row, a
    labelled word or a masked token, as the task has it. The loop asks for all `examples` of a step
    at once: it is over them that the mean is.
    """

    metric: Metric

    @property
    def sizes(self) -> Sequence[int]:
        """The positions that each example takes in a batch; the same in every epoch."""

    def examples(self, indices: Sequence[int], *, epoch: int) -> list[Any]:
        """Return the examples of these numbers as the model reads them in an epoch."""

    def units(self, example: Any) -> int:
        """Count the units of an example."""

    def outputs(self, model: Any, batch: Batch, examples: Sequence[Any]) -> Any:
        """Run the model on the pieces of `examples`, in order; return what `loss` needs of it."""

    def loss(self, outputs: Any, examples: Sequence[Any]) -> Tensor:
        """Return the sum of the loss over all units, a scalar."""

    def scores(self, device: torch.device) -> dict[str, float]:
        """Score the model that learns, in evaluation mode, on the rows to validate on.

        Raises `RowError` where the model gives no number.
        """


class Teachable(Objective, Protocol):
    """An objective that can be learned from a teacher as well.

    `varies` says whether an example reads otherwise in another epoch.
    """

    varies: bool

    def labelled(self, example: Any) -> int:
        """Count the units of an example that have a label; the others have no loss."""

    def outputs(self, model: Any, batch: Batch, examples: Sequence[Any]) -> Tensor:
        """Return the outputs (units, C) of the pieces of `examples`, in order, in fp32."""

    def soft_loss(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Return the loss between a student's outputs and its teacher's, summed over units."""


class Lesson(Protocol):
    """A task with its rows, before there is a model.

    `task` is what users call it, `command` the command that runs the trained model.
    """

    task: ClassVar[str]
    command: ClassVar[str]

    @property
    def train(self) -> Any:
        """The rows to learn from, in a type of the task's own."""

    @property
    def valid(self) -> Any:
        """The rows to validate on."""

    @property
    def head(self) -> type[TaskModel]:
        """The head that learns."""

    def described(self) -> str:
        """Say in words what is learned from."""

    def configure(self, config: ModelConfig) -> ModelConfig:
        """Return the configuration of the model that is to learn from these rows."""

    def set_up(self, model: Any, *, keeps_head: bool) -> None:
        """Fit a new model to the rows, whose head is drawn at random or kept from a checkpoint."""

    def companions(self, *, dim: int, max_length: int) -> dict[str, Any]:
        """Return the JSON files that belong beside a model of this width, by their paths."""

    def objective(self, model: Any, tokenizer: Tokenizer, *, max_length: int) -> Teachable:
        """Tokenize the rows for a model; sequences have at most `max_length` tokens."""

    def digests(self) -> dict[str, str]:
        """Tell the rows by what they hold: a run goes on only with the same ones."""


class PlainLesson:
    """A lesson that takes a new model as it is, and needs no files beside it."""

    __slots__ = ()

    def set_up(self, model: Any, *, keeps_head: bool) -> None:
        """Leave the model as it is."""

    def companions(self, *, dim: int, max_length: int) -> dict[str, Any]:
        """Return no files."""
        return {}


def values(
    task: Task[Item, Any, Any, Value],
    items: Iterable[Item],
    *,
    pad_token_id: int,
    device: torch.device,
) -> list[Value]:
    """Run items through a task around the model that is learning; return a value for each.

    Raises `RowError` for an item that has none.
    """
    batches = BatchOptions()
    engine = Engine(
        task,
        pad_token_id=pad_token_id,
        device=device,
        workers=torch.get_num_threads() if device.type == "cpu" else 1,
        max_tokens=batches.tokens_on(device.type),
        on_error="stop",
    )
    with closing(engine.run(items)) as blocks:
        return [outcome.value for block in blocks for outcome in block if outcome.value is not None]


def encoded_all(
    encode: Callable[[Sequence[Item]], Sequence[Coded | RowError]], items: Sequence[Item]
) -> list[Coded]:
    """Tokenize items as a task does; raises the `RowError` of the first that cannot be."""
    found: list[Coded] = []
    for encoded in encode(items):
        if isinstance(encoded, RowError):
            raise encoded
        found.append(encoded)
    return found
