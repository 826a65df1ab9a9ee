"""Where a row ends in its file, so that reading can continue from there."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from distilcli.rows.row import Row


@dataclass(slots=True)
class Place:
    """Where the next line or row begins: its number, and its byte in a text or id in a table."""

    offset: int = 0
    line: int = 1


@dataclass(frozen=True, slots=True)
class Seek:
    """How to continue reading an input from another place.

    `after` returns the place after the row that was read last, or None if it is not known there;
    `rows_from` returns the rows from a place on. `starts` yields a place at or before each of
    ascending positions (bytes of a text, rows of a table), None for the beginning.
    """

    after: Callable[[Row], Place | None]
    rows_from: Callable[[Place], Iterator[Row]]
    starts: Callable[[Sequence[int]], Iterator[Place | None]] | None = None
