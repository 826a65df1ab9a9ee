"""Records of cells, from delimited lines or a sheet, to rows under the names in the first one.

The first record sets the width. A row of another width is padded and gets an `error` with its
extra cells. Empty cells are the exception: extra ones are ignored, sheets may leave them out, and
files may leave out those below the empty names that a delimiter at the end of the header makes.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator

from distilcli.errors import InputError
from distilcli.rows.delimited import Record
from distilcli.rows.formats import TEXT_COLUMNS, are_names
from distilcli.rows.row import Row
from distilcli.rows.table import Table
from distilcli.wording import count

_WORDS_OF_A_NAME = 3


def headed_table(
    records: Iterator[Record],
    kind: str,
    delimiter: str | None,
    source: str,
    no_header: bool,
    *,
    notes: list[str] | None = None,
) -> tuple[Table, Callable[[Record], Row]]:
    """Return the table of a delimited file's records, or of a sheet's (without `delimiter`).

    `notes` is added to. The returned function turns further records into rows. Raises `InputError`
    if there is no record, if the header has a quote that is never closed, or if a sheet has a title
    above it.
    """
    first = next(records, None)
    if first is None:
        raise InputError(f"{source}: holds blank lines only; a header or a row is needed")
    width = len(first.cells)
    notes = [] if notes is None else notes
    if no_header:
        columns = tuple(map(str, range(1, width + 1)))
        records = itertools.chain([first], records)
    elif first.unclosed:
        raise InputError(
            f"{source}: line {first.line}, column {width}: the header has a quote that "
            "is never closed"
        )
    else:
        columns = tuple(first.cells)
        if delimiter is None:
            records = _without_title(first, records, source)
        notes += _doubts(columns, source)
    rows = _Rows(columns, source, delimiter, no_header, notes)
    return Table(kind, delimiter, columns, map(rows.row, records), notes), rows.row


def _without_title(first: Record, records: Iterator[Record], source: str) -> Iterator[Record]:
    """Return the records; raise `InputError` if the first one is a title above the header."""
    title, *others = filter(None, first.cells)
    if title.strip().lower() in TEXT_COLUMNS:
        return records
    following = next(records, None)
    if following is None:
        return records
    if not others and sum(map(bool, following.cells)) > 1:
        raise InputError(
            f"{source}: line {first.line} holds one cell, {title!r}, and line {following.line} "
            "several; if it is a title, delete the lines above the header, or set `no_header`"
        )
    return itertools.chain([following], records)


def _doubts(columns: tuple[str, ...], source: str) -> Iterator[str]:
    """Yield what users should know of a header."""
    for name, times in Counter(columns).items():
        if times > 1 and name.strip():
            yield f"{source}: {times} columns are named {name!r}; the first one is read"
    name = columns[0].strip()
    is_name = are_names([name]) and len(name.split()) <= _WORDS_OF_A_NAME
    if len(columns) == 1 and not is_name and name.lower() not in TEXT_COLUMNS:
        yield f"{source}: line 1 is read as the header; if it is a row, set `no_header`"


class _Rows:
    """Makes rows of records; the first surplus cells that are empty give a note."""

    def __init__(
        self,
        columns: tuple[str, ...],
        source: str,
        delimiter: str | None,
        no_header: bool,
        notes: list[str],
    ) -> None:
        self._columns = columns
        self._source = source
        self._delimiter = delimiter
        self._first = "the first row" if no_header else "the header"
        self._notes = notes
        self._noted = False

    def row(self, record: Record) -> Row:
        """Return the row of a record; one that does not fit gets an `error`."""
        columns, cells = self._columns, record.cells
        width = len(columns)
        if len(cells) < width and (self._delimiter is None or not any(columns[len(cells) :])):
            cells += [""] * (width - len(cells))
        is_fit = len(cells) == width or (len(cells) > width and self._hold_nothing(cells[width:]))
        if is_fit and not record.unclosed:
            return Row(columns, cells[:width], self._source, record.line)
        padded = [*cells[:width], *[""] * (width - len(cells))]
        error = f"{self._source}: line {record.line}{self._misfit(record)}"
        return Row(columns, padded, self._source, record.line, error=error)

    def _hold_nothing(self, surplus: list[str]) -> bool:
        if any(surplus):
            return False
        if not self._noted and self._delimiter is not None:
            self._noted = True
            self._notes.append(
                f"{self._source}: rows have more cells than {self._first}; the surplus ones are "
                "empty and ignored"
            )
        return True

    def _misfit(self, record: Record) -> str:
        """Describe what is wrong, with the surplus cells, which are kept nowhere else."""
        found, width = len(record.cells), len(self._columns)
        if record.unclosed:
            column = self._columns[found - 1] if found <= width else str(found)
            error = f", column {column!r}: a quote is opened and never closed"
        else:
            error = f": {count(found, 'cell')} where {self._first} has {width}"
        if found <= width:
            return error
        surplus = ", ".join(map(repr, record.cells[width:]))
        quoting = f"; quote cells that contain {self._delimiter!r}" if self._delimiter else ""
        if quoting and width == 1 and self._first == "the header":
            quoting += ", or delete a title above the header"
        return f"{error}{quoting}; left over: {surplus}"
