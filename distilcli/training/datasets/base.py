"""What the datasets of all tasks share: their options, and rows read one by one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from distilcli.errors import InputError, RowError, UsageError, tell
from distilcli.gold.columns import Columns
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, is_blank
from distilcli.tasks.texts import text_at
from distilcli.wording import count

Found = TypeVar("Found")
Place = tuple[str, int]
"""The file and the line, from 1, where a row begins."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetOptions:
    """How training and validation rows are read.

    Without validation rows a `share` of the training rows is set aside, drawn by `seed`. `known`
    are the labels of the model to start from, or of the teacher if the model is `taught`: training
    rows may then lack labels. Rows with an empty text are left out unless `keep_empty`.
    """

    columns: Columns = field(default_factory=Columns)
    share: float = 0.1
    seed: int = 0
    known: Sequence[str] = ()
    taught: bool = False
    keep_empty: bool = False


def place_of(row: Row) -> Place:
    """Return the place of a row in its file."""
    return row.source, row.line


def read_each(
    source: RowSource,
    read: Callable[[Row], Found],
    *,
    what: str,
    columns: Sequence[str | None] = (),
    keep_empty: bool = True,
    may_be_kept: bool = True,
) -> list[Found]:
    """Read every row; `what` is the plural noun for messages.

    Unless `keep_empty`, rows with an empty text in one of `columns` are left out and told, with
    the way to keep them if they `may_be_kept`. Raises `InputError` for the first row that cannot
    be read, and if there is none.
    """
    texts = [column for column in columns if column is not None and not keep_empty]
    found = []
    empty: list[int] = []
    for row in source:
        if row.error is not None:
            raise InputError(row.error)
        try:
            if any(is_blank(text_at(row, column)) for column in texts):
                empty.append(row.line)
                continue
            found.append(read(row))
        except RowError as error:
            raise InputError(str(error)) from None
    if empty and not found:
        names = " and ".join(map(repr, texts))
        raise InputError(f"{source.name}: every row has an empty text; is it in {names}?")
    tell_left_out(source, empty, "; keep them with `keep_empty`" if may_be_kept else "")
    if not found:
        raise InputError(f"{source.name}: has no {what} to learn from")
    return found


def tell_left_out(source: RowSource, lines: Sequence[int], way_out: str = "") -> None:
    """Tell which rows with an empty text are not learned from."""
    if lines:
        tell(
            f"{source.name}: {count(len(lines), 'row')} left out with an empty text, the first in "
            f"line {lines[0]:,}{way_out}"
        )


def refuse_empty(options: DatasetOptions, why: str) -> None:
    """Raise `UsageError` if rows with an empty text are to be kept and teach nothing."""
    if options.keep_empty:
        raise UsageError(f"`keep_empty` has no effect here: {why}")
