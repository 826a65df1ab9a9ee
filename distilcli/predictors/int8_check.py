"""A task whose first rows are checked: the int8 model has to say of them what fp32 says.

The sample is the first rows of a run, before any of them is done. They are run by both models, and
each task says how far two of its values agree.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

import torch

from distilcli.engine.batching import Batch, Piece, cut_batches, pad
from distilcli.engine.task import Encoded, Task
from distilcli.errors import ModelError, RowError
from distilcli.tasks.sequences import or_error

Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)
Value = TypeVar("Value")

SAMPLE_ROWS = 128
SAMPLE_TOKENS = 8_192
"""A sample has so many rows, or so many tokens in at least `LEAST_ROWS` rows."""

LEAST_ROWS = 32
_BATCH_TOKENS = 512
_CPU = torch.device("cpu")


class ComparableTask(Task[Item_contra, Any, Any, Value], Protocol):
    """A task that can say how far two values of one row agree."""

    def agreement(self, first: Value, second: Value) -> float:
        """Return the share of what two values say that is the same, 0 to 1."""


class Agreement:
    """How far a model agreed with its fp32 original, over all runs, until the sample is full.

    `least` is the share of what they say that has to be the same, 0 to 1. One row may differ by
    more, unless it is 1: in a short sample a row is more than its share.
    """

    def __init__(self, *, least: float) -> None:
        self.least = least
        self.rows = 0
        self.agreed = 0.0
        self.differing = 0  # rows of which less than `least` is the same
        self.tokens = 0
        self.lock = threading.Lock()

    @property
    def is_complete(self) -> bool:
        """Whether enough has been compared."""
        has_tokens = self.tokens >= SAMPLE_TOKENS and self.rows >= LEAST_ROWS
        return self.rows >= SAMPLE_ROWS or has_tokens

    @property
    def share(self) -> float | None:
        """The mean agreement of a row, 0 to 1; None before the first."""
        return self.agreed / self.rows if self.rows else None

    @property
    def is_enough(self) -> bool:
        """Whether both said the same of enough."""
        return self._is_enough_with(0)

    @property
    def can_be_enough(self) -> bool:
        """Whether it is enough, or would be if what is still to be compared were all the same."""
        return self._is_enough_with(0 if self.is_complete else SAMPLE_ROWS - self.rows)

    def add(self, share: float) -> None:
        """Count a row of which `share` is the same."""
        self.rows += 1
        self.agreed += share
        self.differing += share < self.least

    def _is_enough_with(self, same: int) -> bool:
        """Say it of the rows so far and so many more that are the same."""
        spares_one = self.least < 1 and self.differing <= 1
        return spares_one or self.agreed + same >= self.least * (self.rows + same)

    def as_dict(self) -> dict[str, Any]:
        """Return what was found as plain JSON values; empty where nothing was compared."""
        if self.share is None:
            return {}
        return {"agreement": self.share, "agreement_rows": self.rows}


class VerifiedTask(Generic[Item, Value]):
    """`task`, whose first rows `original` has to agree with; `name` is the model's.

    `original` is let go of once the sample is complete, and `on_complete` is called. Raises
    `ModelError` from `encode` where they can no longer agree on enough, and from `finish`, at the
    end of the input, where they did not.
    """

    def __init__(
        self,
        task: ComparableTask[Item, Value],
        original: ComparableTask[Item, Value],
        agreement: Agreement,
        *,
        name: str,
        pad_token_id: int,
        on_complete: Callable[[], None] = lambda: None,
    ) -> None:
        self._task, self._agreement = task, agreement
        self._original: ComparableTask[Item, Value] | None = original
        self._on_complete = on_complete
        self._name, self._pad_token_id = name, pad_token_id
        self.size, self.forward, self.decode = task.size, task.forward, task.decode

    def encode(self, items: Sequence[Item]) -> Sequence[Any]:
        """Tokenize items; compare the models on the first of them."""
        rows = self._task.encode(items)
        with self._agreement.lock:
            if self._original is not None and not self._agreement.is_complete:
                self._compare(self._original, list(self._sample(items, rows)))
                if not self._agreement.can_be_enough:
                    raise self._refusal()
            if self._agreement.is_complete:
                self._original = None
                self._on_complete()
        return rows

    def finish(self) -> None:
        """Judge what there was, where the input ended before the sample was complete."""
        with self._agreement.lock:
            if not self._agreement.is_enough:
                raise self._refusal()

    def _sample(
        self, items: Sequence[Item], rows: Sequence[Encoded | RowError]
    ) -> Iterator[tuple[Item, Encoded]]:
        """Yield the rows that are to be compared, until there are enough."""
        usable = (
            (item, row)
            for item, row in zip(items, rows, strict=True)
            if isinstance(row, Encoded) and row.pieces
        )
        before = self._agreement.rows
        for count, (item, row) in enumerate(islice(usable, SAMPLE_ROWS - before), start=1):
            yield item, row
            self._agreement.tokens += sum(map(len, row.pieces))
            if self._agreement.tokens >= SAMPLE_TOKENS and before + count >= LEAST_ROWS:
                return

    def _compare(
        self, original: ComparableTask[Item, Value], sample: list[tuple[Item, Encoded]]
    ) -> None:
        values = zip(self._values(self._task, sample), self._values(original, sample), strict=True)
        for found, wanted in values:
            if wanted is not None:
                self._agreement.add(0.0 if found is None else self._task.agreement(found, wanted))

    def _refusal(self) -> ModelError:
        return ModelError(
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
