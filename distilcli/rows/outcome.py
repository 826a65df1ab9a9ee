"""What became of a row, what a run does with rows that failed, and what each row gets added."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, Literal, Protocol, TypeVar

from distilcli.errors import RowError
from distilcli.rows.row import Row
from distilcli.rows.row_writer import Block
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
                stop = _placed(outcome.error, outcome.item)
                break
        if outcome.error is None or on_error == "keep":
            block.append(outcome)
    stats.add_rows(
        rows,
        failed=failed,
        skipped=failed if on_error == "skip" else 0,
        truncated=sum(outcome.truncated for outcome in block),
        abstained=sum(getattr(outcome.value, "abstained", False) for outcome in block),
    )
    if block:
        yield block
    if stop is not None:
        raise RowError(stop)


def _placed(error: str, item: object) -> str:
    """Return an error with the place of its row."""
    if not isinstance(item, Row) or error.startswith(item.source):
        return error
    return f"{item.source}: line {item.line}: {error}"


class Sink(Protocol):
    """Where rows go with their new columns."""

    def write_rows(self, block: Block) -> None:
        """Take a block of rows."""


def with_additions(
    block: Iterable[Outcome[Row, Value]],
    names: Sequence[str],
    values: Callable[[Value], Sequence[object]],
    marks: Mapping[str, object] = MappingProxyType({}),
) -> Block:
    """Return rows with the `values` of their results under `names`, followed by `marks`.

    A failed row gets empty values and an `error`; a truncated one is marked `truncated`.
    """
    return [(outcome.item, _additions(outcome, names, values, marks)) for outcome in block]


def _additions(
    outcome: Outcome[Row, Value],
    names: Sequence[str],
    values: Callable[[Value], Sequence[object]],
    marks: Mapping[str, object],
) -> dict[str, object]:
    if outcome.value is None:
        return {**dict.fromkeys(names), **marks, "error": outcome.error}
    additions = dict(zip(names, values(outcome.value), strict=True))
    additions.update(marks)
    if outcome.truncated:
        additions["truncated"] = True
    return additions
