"""The check of an int8 model: on the first rows of a run it has to agree with fp32.

The sample runs through both models before any row of it is done; each task says how far two of
its values agree.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

from distilcli.engine.engine import Engine
from distilcli.engine.task import Encoded, Task
from distilcli.errors import ModelError, RowError

Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)
Value = TypeVar("Value")

SAMPLE_ROWS = 128
SAMPLE_TOKENS = 8_192
"""A sample is complete with this many rows, or tokens in at least `MIN_ROWS` rows."""

MIN_ROWS = 32


class ComparableTask(Task[Item_contra, Any, Any, Value], Protocol):
    """A task that can say how far two values of one row agree."""

    def agreement(self, first: Value, second: Value) -> float:
        """Return the share on which two values agree, 0 to 1."""


class Agreement:
    """How far an int8 model agreed with fp32, over all runs, until the sample is complete.

    `required` is the mean share on which they must agree, 0 to 1. A single row may differ by
    more, unless all of it is required: in a short sample one row is more than the share.
    """

    def __init__(self, required: float) -> None:
        self.required = required
        self.rows = 0
        self.agreed = 0.0
        self.differing = 0  # rows that agree on less than `required`
        self.tokens = 0
        self.lock = threading.Lock()

    @property
    def is_complete(self) -> bool:
        """Whether enough rows were compared."""
        has_tokens = self.tokens >= SAMPLE_TOKENS and self.rows >= MIN_ROWS
        return self.rows >= SAMPLE_ROWS or has_tokens

    @property
    def share(self) -> float | None:
        """The mean agreement of a row, 0 to 1; None before the first."""
        return self.agreed / self.rows if self.rows else None

    @property
    def is_enough(self) -> bool:
        """Whether both models agreed on enough."""
        return self._is_enough_with(0)

    @property
    def can_be_enough(self) -> bool:
        """Whether it is enough if both models agree on all rows still to come."""
        return self._is_enough_with(0 if self.is_complete else SAMPLE_ROWS - self.rows)

    def add(self, share: float) -> None:
        """Count a row on which both agree to this share."""
        self.rows += 1
        self.agreed += share
        self.differing += share < self.required

    def _is_enough_with(self, agreeing: int) -> bool:
        may_spare_one = self.required < 1 and self.differing <= 1
        return may_spare_one or self.agreed + agreeing >= self.required * (self.rows + agreeing)

    def as_dict(self) -> dict[str, float]:
        """Return the result as plain JSON values; empty if nothing was compared."""
        if self.share is None:
            return {}
        return {"agreement": self.share, "agreement_rows": self.rows}


class VerifiedTask(Generic[Item, Value]):
    """`task` on the int8 `engine`, whose first rows also run on the fp32 engine `original`.

    Once the sample is complete, `original` is dropped and `on_complete` called. Raises `ModelError`
    from `encode` as soon as the models cannot agree on enough any more, and from `finish`, at the
    end of the input, if they did not.
    """

    def __init__(
        self,
        task: ComparableTask[Item, Value],
        engine: Engine[Item, Value],
        original: Engine[Item, Value],
        agreement: Agreement,
        *,
        name: str,
        on_complete: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine, self._agreement, self._name = engine, agreement, name
        self._original: Engine[Item, Value] | None = original
        self._on_complete = on_complete
        self._task = task
        self.size, self.forward, self.decode = task.size, task.forward, task.decode

    def encode(self, items: Sequence[Item]) -> Sequence[Encoded | RowError]:
        """Tokenize items, and compare the models on the first of them."""
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
        """Raise `ModelError` if the input ended before the models agreed on enough."""
        with self._agreement.lock:
            if not self._agreement.is_enough:
                raise self._refusal()

    def _sample(self, items: Sequence[Item], rows: Sequence[Encoded | RowError]) -> Iterator[Item]:
        """Yield the items to compare, until the sample is complete."""
        usable = (
            (item, row)
            for item, row in zip(items, rows, strict=True)
            if isinstance(row, Encoded) and row.pieces
        )
        before = self._agreement.rows
        for count, (item, row) in enumerate(islice(usable, SAMPLE_ROWS - before), start=1):
            yield item
            self._agreement.tokens += sum(map(len, row.pieces))
            if self._agreement.tokens >= SAMPLE_TOKENS and before + count >= MIN_ROWS:
                return

    def _compare(self, original: Engine[Item, Value], sample: Sequence[Item]) -> None:
        for int8, fp32 in zip(*(_values(e, sample) for e in (self._engine, original)), strict=True):
            if fp32 is not None:
                self._agreement.add(0.0 if int8 is None else self._task.agreement(int8, fp32))

    def _refusal(self) -> ModelError:
        return ModelError(
            f"{self._name}: int8 agrees with fp32 on {self._agreement.share:.1%} of "
            f"{self._agreement.rows:,} rows; {self._agreement.required:.1%} required; use "
            "`precision` fp32, or lower `min_agreement`"
        )


def _values(engine: Engine[Item, Value], items: Sequence[Item]) -> list[Value | None]:
    """Return the value of each item, None for one that failed."""
    with closing(replace(engine, on_error="keep").run(items)) as blocks:
        return [outcome.value for block in blocks for outcome in block]
