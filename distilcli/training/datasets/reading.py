"""Rows to learn from, read one by one: none may be left out without a word."""

from collections.abc import Callable
from typing import TypeVar

from distilcli.errors import InputError, RowError
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row

Found = TypeVar("Found")
Place = tuple[str, int]
"""The file and the line, from 1, where a row begins."""


def place_of(row: Row) -> Place:
    """Return where a row stands."""
    return row.source, row.line


def read_each(source: RowSource, read: Callable[[Row], Found], *, what: str) -> list[Found]:
    """Return what `read` finds in each row; `what` that is called, in the plural.

    Raises `InputError` for the first row that cannot be read, and where there is none.
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
