"""What Parquet files, workbooks and databases have in common: a library reads them, by path."""

import contextlib
import decimal
import math
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from distilcli.errors import InputError
from distilcli.rows.inputs import STDIN
from distilcli.rows.place import Place
from distilcli.rows.row import NumberText, Stored
from distilcli.wording import count, listing

MAGIC = {
    b"PK\x03\x04": "xlsx",
    b"PK\x05\x06": "xlsx",  # a zip archive without files
    b"PAR1": "parquet",
    b"SQLite format 3\x00": "sqlite",
}
"""The first bytes of each, whatever its name says."""
MULTIPLE = ("xlsx", "sqlite")
"""Those that hold several tables."""


@dataclass(frozen=True, slots=True)
class StoreFile:
    """A file to open: its path, its name for messages, and the table or sheet that is wanted.

    `resources` closes what was opened.
    """

    path: Path
    name: str
    part: str | None
    resources: contextlib.ExitStack

    def chosen(self, kind: str, names: Sequence[str], default: Sequence[str]) -> str:
        """Return the wanted part (a `kind`) of `names`, or the only one of `default`.

        Raises `InputError` that names those that are there.
        """
        if self.part in names:
            return str(self.part)
        there = listing(names, most=20) or "none"
        if self.part is not None:
            raise InputError(f"{self.name}: has no {kind} {self.part!r}; it has {there}")
        if not default:
            raise InputError(f"{self.name}: has no {kind}")
        if len(default) > 1:
            path = STDIN if self.name == "stdin" else self.name
            raise InputError(
                f"{self.name}: has {count(len(default), kind)} ({there}); "
                f"name one: {shlex.quote(f'{path}::{default[0]}')}"
            )
        return default[0]


class StoreRow(NamedTuple):
    """The number of a row, its cells, and where Parquet has their values."""

    number: int
    cells: Sequence[object]
    stored: Stored | None = None


@dataclass(frozen=True, slots=True)
class Store:
    """The rows of one table; `total` is about how many, 0 if unknown.

    A sheet has no `columns`: its first row names them. `rows_from` yields the rows from a place
    on, or all (None), and `place` is the one after the last row; a sheet has none. Parquet has the
    `types` of its columns. `notes` is what users should know.
    """

    name: str
    columns: tuple[str, ...]
    rows_from: Callable[[Place | None], Iterator[StoreRow]]
    total: int
    place: Callable[[], Place] | None = None
    types: Sequence[object] = ()
    notes: list[str] = field(default_factory=list)


def as_json_cell(value: object) -> object:
    """Return a value as the cells of JSON rows are: numbers and dates as spelled, NaN as None."""
    if value is None or isinstance(value, str | bool | bytes):
        return value
    if isinstance(value, int | float | decimal.Decimal):
        if math.isfinite(value):
            return NumberText(value)
        return None if math.isnan(value) else float(value)  # an infinity has no spelling in JSON
    if isinstance(value, dict):
        return {str(key): as_json_cell(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [as_json_cell(part) for part in value]
    return str(value)  # dates, times and durations
