"""What the engine needs from a task."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from distilcli.engine.batching import Batch, Piece
from distilcli.errors import RowError


@dataclass(slots=True)
class Encoded:
    """A row as the model takes it; a task that needs more for decoding (offsets) subclasses it.

    A row may have no pieces: then it is decoded from no outputs.
    """

    pieces: list[Piece]
    truncated: bool = False


Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)
Coded = TypeVar("Coded", bound=Encoded)
Output = TypeVar("Output")
Value = TypeVar("Value")
Value_co = TypeVar("Value_co", covariant=True)


class Task(Protocol[Item_contra, Coded, Output, Value_co]):
    """One way to use a model on rows: from an item to pieces, to outputs, to a plain value.

    `size` and `encode` run on threads of the engine, `forward` on its workers (several at a
    time), `decode` on the caller's thread. An exception other than RowError ends the run and
    reaches the caller unchanged.
    """

    def size(self, item: Item_contra) -> int:
        """Return the number of characters of an item's text: windows are bounded by their sum."""

    def encode(self, items: Sequence[Item_contra]) -> Sequence[Coded | RowError]:
        """Tokenize a whole window: one result per item, a RowError for a failed row."""

    def forward(self, batch: Batch) -> Sequence[Output]:
        """Run the model, in inference mode: one output per piece, already on the host."""

    def decode(self, item: Item_contra, encoded: Coded, outputs: Sequence[Output]) -> Value_co:
        """Turn the outputs of a row's pieces, in order, into its value; may raise RowError."""
