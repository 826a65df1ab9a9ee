"""What the datasets of all tasks share: their options, and rows read one by one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from distilcli.errors import InputError, RowError
from distilcli.gold.columns import Columns
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row

Found = TypeVar("Found")
Place = tuple[str, int]
"""The file and the line, from 1, where a row begins."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetOptions:
    """How training and validation rows are read.

    Without validation rows a `share` of the training rows is set aside, drawn by `seed`. `known`
    are the labels of the model to start from, or of the teacher if the model is `taught`: training
    rows may then lack labels.
    """

    columns: Columns = field(default_factory=Columns)
    share: float = 0.1
    seed: int = 0
    known: Sequence[str] = ()
    taught: bool = False


def place_of(row: Row) -> Place:
    """Return the place of a row in its file."""
    return row.source, row.line


def read_each(source: RowSource, read: Callable[[Row], Found], *, what: str) -> list[Found]:
    """Read every row; `what` is the plural noun for messages.

    Raises `InputError` for the first row that cannot be read, and if there is none.
    """
    found = []
    for row in source:
        if row.error is not None:
            raise InputError(row.error)
        try:
            found.append(read(row))
        except RowError as error:
            raise InputError(str(error)) from None
    if not found:
        raise InputError(f"{source.name}: has no {what} to learn from")
    return found
