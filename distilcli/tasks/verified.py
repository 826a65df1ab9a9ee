"""A task whose first rows are checked: the int8 model has to say of them what fp32 says.

The sample is the first rows of a run, before any of them is done. They are run by both models, and
each task says how far two of its values agree.
"""

import threading
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

import torch

from distilcli.engine.batching import Batch, Piece, cut_batches, pad
from distilcli.engine.task import Encoded, Task
from distilcli.errors import ModelError, RowError
from distilcli.tasks.framing import or_error

Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)
Value = TypeVar("Value")

SAMPLE_ROWS = 128
SAMPLE_TOKENS = 4_096
_BATCH_TOKENS = 512
_CPU = torch.device("cpu")


class ComparableTask(Task[Item_contra, Any, Any, Value], Protocol):
    """A task that can say how far two values of one row agree."""

    def agreement(self, first: Value, second: Value) -> float:
        """Return the share of what two values say that is the same, 0 to 1."""


class Agreement:
    """How far a model agreed with its fp32 original, over all runs, until the sample is full.

    One row may differ whatever `least` is: in a short sample it is more than its share.
    """

    def __init__(self, *, least: float) -> None:
        self.least = least
        self.rows = 0
        self.agreed = 0.0
        self.tokens = 0
        self.lock = threading.Lock()

    @property
    def is_complete(self) -> bool:
        """Whether enough has been compared."""
        return self.rows >= SAMPLE_ROWS or self.tokens >= SAMPLE_TOKENS

    @property
    def share(self) -> float | None:
        """The mean agreement of a row, 0 to 1; None before the first."""
        return self.agreed / self.rows if self.rows else None

    @property
    def is_enough(self) -> bool:
        """Whether the rows that differ are few enough."""
        return self.rows - self.agreed <= max(1.0, (1 - self.least) * self.rows)


class VerifiedTask(Generic[Item, Value]):
    """`task`, whose first rows `original` has to agree with; `name` is the model's.

    Raises `ModelError` from `encode` where they do not.
    """

    def __init__(
        self,
        task: ComparableTask[Item, Value],
        original: ComparableTask[Item, Value],
        agreement: Agreement,
        *,
        name: str,
        pad_token_id: int,
    ) -> None:
        self._task, self._original, self._agreement = task, original, agreement
        self._name, self._pad_token_id = name, pad_token_id
        self.size, self.forward, self.decode = task.size, task.forward, task.decode

    def encode(self, items: Sequence[Item]) -> Sequence[Any]:
        """Tokenize items; compare the models on the first of them."""
        rows = self._task.encode(items)
        with self._agreement.lock:
            if not self._agreement.is_complete:
                self._compare(list(self._sample(items, rows)))
        return rows

    def _sample(
        self, items: Sequence[Item], rows: Sequence[Encoded | RowError]
    ) -> Iterator[tuple[Item, Encoded]]:
        """Yield the rows that are to be compared, until there are enough."""
        usable = (
            (item, row)
            for item, row in zip(items, rows, strict=True)
            if isinstance(row, Encoded) and row.pieces
        )
        for item, row in islice(usable, SAMPLE_ROWS - self._agreement.rows):
            yield item, row
            self._agreement.tokens += sum(map(len, row.pieces))
            if self._agreement.tokens >= SAMPLE_TOKENS:
                return

    def _compare(self, sample: list[tuple[Item, Encoded]]) -> None:
        values = zip(
            self._values(self._task, sample), self._values(self._original, sample), strict=True
        )
        for found, wanted in values:
            if wanted is not None:
                self._agreement.rows += 1
                self._agreement.agreed += (
                    0.0 if found is None else self._task.agreement(found, wanted)
                )
        if not self._agreement.is_enough:
            raise ModelError(
                f"{self._name}: int8 agrees with fp32 on {self._agreement.share:.1%} of "
                f"{self._agreement.rows:,} rows, wanted are {self._agreement.least:.1%}; use "
                "--precision fp32, or lower --min-agreement"
            )

    def _values(
        self, task: ComparableTask[Item, Value], sample: list[tuple[Item, Encoded]]
    ) -> Iterator[Value | None]:
        """Yield what the task makes of each row; None for a row that fails."""
        pieces = [piece for _, row in sample for piece in row.pieces]
        outputs = iter(self._outputs(task, pieces))
        for item, row in sample:
            value = or_error(task.decode, item, row, list(islice(outputs, len(row.pieces))))
            yield None if isinstance(value, RowError) else value

    def _outputs(self, task: ComparableTask[Item, Value], pieces: list[Piece]) -> list[Any]:
        outputs: list[Any] = [None] * len(pieces)
        with torch.inference_mode():
            for places in cut_batches(
                [len(piece) for piece in pieces], max_tokens=_BATCH_TOKENS, max_rows=None
            ):
                batch: Batch = pad(
                    [pieces[place] for place in places],
                    pad_token_id=self._pad_token_id,
                    device=_CPU,
                )
                for place, output in zip(places, task.forward(batch), strict=True):
                    outputs[place] = output
        return outputs
