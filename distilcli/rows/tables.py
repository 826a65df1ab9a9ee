"""One opened input: its first line tells its format and columns, then rows follow.

The header of a table sets its width; a row of another width has an `error` with its surplus cells
and is padded.
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
from distilcli.wording import count

# A file that begins with so many faulty lines is not JSONL.
_PATIENCE = 100


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """How to read the inputs."""

    text_column: str | None
    encoding: Encoding
    delimiter: str | None
    no_header: bool


@dataclass(frozen=True, slots=True)
class Table:
    """An opened input: its format, its columns and its rows."""

    format: str
    delimiter: str | None
    columns: tuple[str, ...]
    rows: Iterator[Row]


@dataclass(frozen=True, slots=True)
class Given:
    """Rows given without a file, by the options in `name`."""

    name: str
    columns: tuple[str, ...]
    cells: Sequence[Sequence[str]]

    def table(self) -> Table:
        """Return them as a table of format txt."""
        rows = (
            Row(self.columns, cells, self.name, line)
            for line, cells in enumerate(self.cells, start=1)
        )
        return Table("txt", None, self.columns, rows)


def open_table(source: Input, chunks: Iterator[bytes], settings: ReadSettings) -> Table:
    """Read the first line of an input (of JSONL up to its first object) and return its table.

    Raises `InputError` for an empty input and for one that is not in its format.
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
            f"{source.name}: `delimiter` and `no_header` are for csv and tsv, not {kind}"
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
        # Only a table has a delimiter or can lack a header.
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
    """Return the function that makes rows of records; those that do not fit get an `error`."""
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
    """Describe what is wrong with a record, with its surplus cells, which are kept nowhere else."""
    found, width = len(record.cells), len(columns)
    where = f"line {record.line}"
    if record.unclosed:
        column = columns[found - 1] if found <= width else str(found)
        error = f"{where}, column {column!r}: a quote is opened and never closed"
    else:
        error = f"{where}: {count(found, 'cell')} where {expected}"
    if found <= width:
        return error
    surplus = ", ".join(map(repr, record.cells[width:]))
    return f"{error}; quote cells that contain {delimiter!r}; left over: {surplus}"
