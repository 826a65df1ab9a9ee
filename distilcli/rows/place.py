"""Where a row ends in its file, so that reading can go on from there."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from distilcli.rows.row import Row


@dataclass(slots=True)
class Place:
    """Where the next line or row begins: its byte in a text, or its id in a table; its number."""

    offset: int = 0
    line: int = 1


@dataclass(frozen=True, slots=True)
class Seek:
    """How to go on reading an input elsewhere.

    `after` returns the place after the row that was read last, None if that is not known there;
    `rows_from` returns the rows from a place on.
    """

    after: Callable[[Row], Place | None]
    rows_from: Callable[[Place], Iterator[Row]]
