"""One input opened: its first line says what it is and which columns it has, then rows follow.

The first line of a table is its header, and sets its width; a row that does not fit comes out
marked, padded to the width, with what was left over in its error message.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from distilcli.errors import InputError, UsageError
from distilcli.rows.conll import sentences
from distilcli.rows.delimited import Record, Records
from distilcli.rows.formats import sniff_delimiter, sniff_format
from distilcli.rows.inputs import Input
from distilcli.rows.jsonl import parse_line
from distilcli.rows.lines import Encoding, read_lines
from distilcli.rows.row import Row
from distilcli.rows.squad import squad_rows

# So many faulty lines at the start of a JSONL file say that it is not one.
_PATIENCE = 100


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """How the user says that the inputs are to be read."""

    text_column: str | None
    encoding: Encoding
    delimiter: str | None
    no_header: bool


@dataclass(frozen=True, slots=True)
class Table:
    """An opened input: what its first line told, and the rows that follow."""

    format: str
    delimiter: str | None
    columns: tuple[str, ...]
    rows: Iterator[Row]


@dataclass(frozen=True, slots=True)
class Given:
    """Rows that are in memory; `name` says in messages where they come from."""

    name: str
    columns: tuple[str, ...]
    cells: Sequence[Sequence[object]]
    format: str = "txt"

    def table(self) -> Table:
        """Return them as a table."""
        rows = (
            Row(self.columns, cells, self.name, line)
            for line, cells in enumerate(self.cells, start=1)
        )
        return Table(self.format, None, self.columns, rows)


def open_table(source: Input, chunks: Iterator[bytes], settings: ReadSettings) -> Table:
    """Read the first line of an input (for JSONL up to its first object) and return its table.

    Raises `InputError` where there is none, or where the file is not what it is said to be.
    """
    lines = read_lines(chunks, settings.encoding, source.name)
    first_line = next(lines, None)
    if first_line is None:
        raise InputError(f"{source.name}: is empty; a header or a row is needed")
    kind, delimiter = source.format, settings.delimiter
    if kind is None:
        kind, delimiter = _sniffed(first_line, settings)
    lines = itertools.chain([first_line], lines)
    is_delimited = kind not in {"txt", "jsonl", "squad", "conll"}
    if not is_delimited and (settings.delimiter is not None or settings.no_header):
        raise UsageError(
            f"{source.name}: --delimiter and --no-header are for csv and tsv, not {kind}"
        )
    if kind == "txt":
        return _text_table(lines, source.name)
    if kind == "jsonl":
        return _jsonl_table(lines, source.name)
    if kind == "squad":
        return Table("squad", None, *squad_rows("".join(lines), source.name))
    if kind == "conll":
        return Table("conll", None, *sentences(lines, source.name))
    if delimiter is None:
        delimiter = "\t" if kind == "tsv" else sniff_delimiter(first_line)
    records = Records(lines, delimiter, source.name, stray_quotes=delimiter == "\t")
    return _delimited_table(records, kind, delimiter, source.name, settings.no_header)


def _sniffed(first_line: str, settings: ReadSettings) -> tuple[str, str | None]:
    if settings.delimiter is not None or settings.no_header:
        # Only a table has delimiters, and only a table can lack a header.
        return "csv", settings.delimiter
    return sniff_format(first_line, settings.text_column)


def _text_table(lines: Iterator[str], source: str) -> Table:
    columns = ("text",)
    rows = (
        Row(columns, [line.rstrip("\r\n")], source, number)
        for number, line in enumerate(lines, start=1)
    )
    return Table("txt", None, columns, rows)


def _jsonl_table(lines: Iterator[str], source: str) -> Table:
    rows = (
        parse_line(line.rstrip("\r\n"), source, number)
        for number, line in enumerate(lines, start=1)
        if line.strip(" \t\r\n")
    )
    peeked: list[Row] = []
    for row in rows:
        peeked.append(row)
        if row.error is None:
            return Table("jsonl", None, row.columns, itertools.chain(peeked, rows))
        if len(peeked) == _PATIENCE:
            raise InputError(
                f"{peeked[0].error}; nor is any of the {_PATIENCE - 1} lines after it JSON"
            )
    return Table("jsonl", None, (), iter(peeked))


def _delimited_table(
    records: Records, kind: str, delimiter: str, source: str, no_header: bool
) -> Table:
    first = next(records, None)
    if first is None:
        raise InputError(f"{source}: holds blank lines only; a header or a row is needed")
    if no_header:
        columns = tuple(str(number) for number in range(1, len(first.cells) + 1))
        make_row = _row_maker(columns, source, delimiter, f"the first row has {len(columns)}")
        rows = map(make_row, itertools.chain([first], records))
        return Table(kind, delimiter, columns, rows)
    if first.unclosed:
        raise InputError(
            f"{source}: line {first.line}, column {len(first.cells)}: the header has a quote that "
            "is never closed"
        )
    columns = tuple(first.cells)
    make_row = _row_maker(columns, source, delimiter, f"the header has {len(columns)}")
    return Table(kind, delimiter, columns, map(make_row, records))


def _row_maker(
    columns: tuple[str, ...], source: str, delimiter: str, expected: str
) -> Callable[[Record], Row]:
    """Return the function that makes rows of records and marks those that do not fit."""
    width = len(columns)

    def row(record: Record) -> Row:
        cells = record.cells
        if len(cells) == width and not record.unclosed:
            return Row(columns, cells, source, record.line)
        error = _misfit(record, columns, delimiter, expected)
        padded = [*cells[:width], *[""] * (width - len(cells))]
        return Row(columns, padded, source, record.line, error=f"{source}: {error}")

    return row


def _misfit(record: Record, columns: tuple[str, ...], delimiter: str, expected: str) -> str:
    """Say what is wrong with a record, surplus cells included: nowhere else are they kept."""
    found, width = len(record.cells), len(columns)
    place = f"line {record.line}"
    if record.unclosed:
        column = columns[found - 1] if found <= width else str(found)
        error = f"{place}, column {column!r}: a quote is opened and never closed"
    else:
        error = f"{place}: {found} cell{'' if found == 1 else 's'} where {expected}"
    if found <= width:
        return error
    surplus = ", ".join(map(repr, record.cells[width:]))
    return f"{error}; quote cells that contain {delimiter!r}; left over: {surplus}"
