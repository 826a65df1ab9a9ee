"""The check of a faster precision: on a sample of the first rows it has to agree with fp32.

The sample runs through both models before any row of it is done; each task says how far two of
its values agree. Every row's result is that of the faster model, so it does not depend on whether
a check was still needed.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

from distilcli.engine.batching import Batch
from distilcli.engine.engine import Engine
from distilcli.engine.task import Encoded, Task
from distilcli.errors import ModelError, RowError
from distilcli.findings import Finding

Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)
Value = TypeVar("Value")

SAMPLE_ROWS = 128
"""The sample is taken from this many of the first rows that the model can read."""

SAMPLE_TOKENS = 4_096
MIN_ROWS = 32
"""The sample may end earlier: with SAMPLE_TOKENS in at least MIN_ROWS rows, the shortest ones."""


class ComparableTask(Task[Item_contra, Any, Any, Value], Protocol):
    """A task that can say how far two values of one row agree."""

    def agreement(self, first: Value, second: Value) -> float:
        """Return the share on which two values agree, 0 to 1."""


class Agreement:
    """How far a model agrees in `precision` with fp32, over all runs, until the sample is complete.

    `required` is the mean share on which they must agree, 0 to 1. A single row may differ by
    more, unless all of it is required: in a short sample one row is more than the share.

    A verdict is kept as `finding`, and taken from there if an earlier run has come to one.
    """

    def __init__(
        self, required: float, *, precision: str = "int8", finding: Finding | None = None
    ) -> None:
        self.required = required
        self.precision = precision
        self.rows = 0
        self.agreed = 0.0
        self.differing = 0  # rows that agree on less than `required`
        self.seen = 0  # rows that the sample was chosen from
        self.tokens = 0
        self.lock = threading.Lock()
        self._finding = finding
        earlier = None if finding is None else finding.read(_parse)
        self.is_remembered = earlier is not None
        if earlier is not None:
            self.rows, self.agreed, self.differing = earlier
            self.seen = SAMPLE_ROWS

    @property
    def is_complete(self) -> bool:
        """Whether enough rows were compared."""
        has_tokens = self.tokens >= SAMPLE_TOKENS and self.rows >= MIN_ROWS
        return self.seen >= SAMPLE_ROWS or has_tokens

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

    def keep(self) -> None:
        """Keep the verdict for later runs."""
        if self._finding is not None and self.rows:
            found = {"rows": self.rows, "agreed": self.agreed, "differing": self.differing}
            self._finding.write(found)

    def described(self) -> str:
        """Say how far both agree, and whether that was found by an earlier run."""
        said = f"{self.precision} agrees with fp32 on {self.share or 0:.1%} of {self.rows:,} rows"
        return f"{said} of an earlier run" if self.is_remembered else said

    def refusal(self, name: str) -> ModelError:
        """Return the error for the model called `name`, which does not agree on enough."""
        again = ""
        if self._finding is not None and self.is_remembered:
            again = f", or remove {self._finding.path} to check again"
        return ModelError(
            f"{name}: {self.described()}; {self.required:.1%} required; use `precision` fp32, or "
            f"lower `min_agreement`{again}"
        )

    def _is_enough_with(self, agreeing: int) -> bool:
        may_spare_one = self.required < 1 and self.differing <= 1
        return may_spare_one or self.agreed + agreeing >= self.required * (self.rows + agreeing)

    def as_dict(self) -> dict[str, object]:
        """Return the result as plain JSON values; empty if nothing was compared."""
        if self.share is None:
            return {}
        earlier = {"agreement_of_earlier_run": True} if self.is_remembered else {}
        return {"agreement": self.share, "agreement_rows": self.rows, **earlier}


def _parse(found: Any) -> tuple[int, float, int]:
    rows, agreed, differing = int(found["rows"]), float(found["agreed"]), int(found["differing"])
    if not (rows > 0 and 0 <= agreed <= rows and 0 <= differing <= rows):
        raise ValueError
    return rows, agreed, differing


class VerifiedTask(Generic[Item, Value]):
    """`task` on the faster `engine`, whose first rows also run on the fp32 engine `original`.

    `on_complete` is called once the sample is complete. If the models do not agree on enough, a
    `ModelError` is raised: from `encode` as soon as they cannot any more, or from `finish`, at the
    end of the input. With `fall_back`, that is called instead and the run goes on in fp32.
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
        fall_back: Callable[[], None] | None = None,
    ) -> None:
        self._engine, self._agreement, self._name = engine, agreement, name
        self._original: Engine[Item, Value] | None = original
        self._on_complete = on_complete
        self._fall_back = fall_back
        self._task = task
        self._forward = task.forward
        self.size, self.decode = task.size, task.decode

    def is_settled(self) -> bool:
        """Say whether it is decided which model runs the rows."""
        return self._original is None

    def forward(self, batch: Batch) -> Sequence[Any]:
        """Run the model that is in use."""
        return self._forward(batch)

    def encode(self, items: Sequence[Item]) -> Sequence[Encoded | RowError]:
        """Tokenize items, and compare the models on the first of them."""
        rows = self._task.encode(items)
        with self._agreement.lock:
            if self._original is None:
                return rows
            if not self._agreement.is_complete:
                self._compare(self._original, list(self._sample(items, rows)))
                if self._agreement.is_complete or not self._agreement.can_be_enough:
                    self._agreement.keep()
            if not self._agreement.can_be_enough:
                self._refuse(self._original)
            elif self._agreement.is_complete:
                self._original = None
                self._on_complete()
        return rows

    def finish(self) -> None:
        """Refuse the model if the input ended before both agreed on enough."""
        with self._agreement.lock:
            if self._original is not None and not self._agreement.is_enough:
                self._refuse(self._original)

    def _refuse(self, original: Engine[Item, Value]) -> None:
        """Raise `ModelError`, or go on in fp32."""
        if self._fall_back is None:
            raise self._agreement.refusal(self._name)
        self._fall_back()
        self._forward = original.task.forward
        self._original = None

    def _sample(self, items: Sequence[Item], rows: Sequence[Encoded | RowError]) -> Iterator[Item]:
        """Yield the items to compare, the shortest first, until the sample is complete."""
        usable = (
            (sum(map(len, row.pieces)), item)
            for item, row in zip(items, rows, strict=True)
            if isinstance(row, Encoded) and row.pieces
        )
        agreement = self._agreement
        at_hand = list(islice(usable, SAMPLE_ROWS - agreement.seen))
        agreement.seen += len(at_hand)
        for count, (tokens, item) in enumerate(sorted(at_hand, key=lambda each: each[0]), start=1):
            yield item
            agreement.tokens += tokens
            if agreement.tokens >= SAMPLE_TOKENS and agreement.rows + count >= MIN_ROWS:
                return

    def _compare(self, original: Engine[Item, Value], sample: Sequence[Item]) -> None:
        for found, fp32 in zip(
            *(values_of(each, sample) for each in (self._engine, original)), strict=True
        ):
            if fp32 is not None:
                self._agreement.add(0.0 if found is None else self._task.agreement(found, fp32))


def values_of(engine: Engine[Item, Value], items: Sequence[Item]) -> list[Value | None]:
    """Return the value of each item, None for one that failed."""
    with closing(replace(engine, on_error="keep").run(items)) as blocks:
        return [outcome.value for block in blocks for outcome in block]
