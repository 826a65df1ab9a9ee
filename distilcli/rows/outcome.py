"""What became of a row, and what a run does with rows that failed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from distilcli.errors import RowError
from distilcli.stats import RunStats

Item = TypeVar("Item")
Value = TypeVar("Value")

OnError = Literal["keep", "skip", "stop"]


@dataclass(slots=True)
class Outcome(Generic[Item, Value]):
    """A row that is done: its value, or its error."""

    item: Item
    value: Value | None = None
    error: str | None = None
    truncated: bool = False


def settle(
    outcomes: Iterable[Outcome[Item, Value]], *, on_error: OnError, stats: RunStats
) -> Iterator[list[Outcome[Item, Value]]]:
    """Count `outcomes` in `stats` and yield those to write as one block, if there are any.

    Failed rows are kept, or dropped with `on_error="skip"`. With "stop" the first one ends the
    block and raises `RowError` after it.
    """
    block: list[Outcome[Item, Value]] = []
    rows = failed = 0
    stop: str | None = None
    for outcome in outcomes:
        rows += 1
        if outcome.error is not None:
            failed += 1
            stats.note_error(outcome.error)
            if on_error == "stop":
                stop = outcome.error
                break
        if outcome.error is None or on_error == "keep":
            block.append(outcome)
    stats.add_rows(
        rows,
        failed=failed,
        skipped=failed if on_error == "skip" else 0,
        truncated=sum(outcome.truncated for outcome in block),
    )
    if block:
        yield block
    if stop is not None:
        raise RowError(stop)
