"""One opened input: its first line tells its format and columns, then rows follow.

The header of a table sets its width; a row of another width has an `error` with its surplus cells
and is padded.
"""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from distilcli.errors import InputError, UsageError
from distilcli.rows.conll import sentences
from distilcli.rows.delimited import Record, Records
from distilcli.rows.formats import JSON_FORMATS, sniff_delimiter, sniff_format
from distilcli.rows.inputs import Input
from distilcli.rows.json_array import BEGINS_ARRAY, array_rows
from distilcli.rows.jsonl import parse_line, splice
from distilcli.rows.lines import LONGEST, Encoding, as_utf8, read_lines
from distilcli.rows.row import Row
from distilcli.rows.squad import squad_rows
from distilcli.wording import count

# A file that begins with so many faulty lines is not JSONL.
_PATIENCE = 100
_SEPARATOR_LINE = re.compile(r'"?sep=([^"\r\n])"?[\r\n]*', re.IGNORECASE)
"""The line by which a spreadsheet names the delimiter."""
_BLANK = b" \t\r\n\xef\xbb\xbf"  # with the byte order mark of UTF-8


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """How to read the inputs."""

    text_column: str | None
    encoding: Encoding
    delimiter: str | None
    no_header: bool
    word_column: int | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """An opened input: its format, its columns and its rows."""

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
    """Read the first line of an input (of JSONL up to its first object) and return its table.

    Raises `InputError` for an empty input and for one that is not in its format.
    """
    head, chunks = _peek(chunks)
    if source.format in (None, *JSON_FORMATS) and BEGINS_ARRAY.match(head.lstrip(_BLANK)):
        return _array_table(chunks, source, settings)
    lines = read_lines(chunks, settings.encoding, source.name)
    first_line = next(lines, None)
    if first_line is None:
        raise InputError(f"{source.name}: is empty; a header or a row is needed")
    kind, delimiter = source.format, settings.delimiter
    if kind != "conll":
        _check_no_words(source, settings)
    if kind is None:
        kind, delimiter = _sniffed(first_line, settings)
    if kind in ("csv", "tsv"):
        return _open_delimited(kind, delimiter, first_line, lines, source.name, settings.no_header)
    _check_no_table(source, kind, settings)
    lines = itertools.chain([first_line], lines)
    if kind == "txt":
        return _text_table(lines, source.name)
    if kind == "jsonl":
        return _json_table("jsonl", _jsonl_rows(lines, source.name))
    if kind in ("json", "squad"):
        return Table("squad", None, *squad_rows("".join(lines), source.name))
    return Table("conll", None, *sentences(lines, source.name, settings.word_column))


def file_table(source: Input, chunks: Iterator[bytes], settings: ReadSettings) -> Table:
    """Return the table of a whole file: a row that is its text, or has an `error`."""
    columns = ("text",)

    def rows() -> Iterator[Row]:
        text, error = "", None
        try:
            text = whole_text(chunks, settings.encoding, source.name)
        except InputError as failure:
            error = str(failure)
        yield Row(columns, [text], source.name, 1, error=error)

    return Table("txt", None, columns, rows())


def whole_text(chunks: Iterator[bytes], encoding: Encoding, source: str) -> str:
    """Return the text of a file; raise `InputError` for bytes that are not text, or too many."""
    parts: list[str] = []
    size = 0
    for line in read_lines(chunks, encoding, source):
        parts.append(line)
        size += len(line)
        if size > LONGEST:
            raise InputError(f"{source}: is longer than {LONGEST >> 20} MB; is this a text?")
        if "\0" in line:
            raise InputError(f"{source}: holds NUL characters; is this a text file?")
    return "".join(parts)


def with_file_column(table: Table, column: str, file: str) -> Table:
    """Return the table with the name of its file in a last column.

    Raises `UsageError` if there is a column of that name; a JSON row with that key has an `error`.
    """
    clash = f"{file}: has a column {column!r} already; give another `file_column`"
    if column in table.columns:
        raise UsageError(clash)
    columns = (*table.columns, column)

    def named(row: Row) -> Row:
        if column in row.columns:
            return replace(row, error=clash)
        raw = row.raw and splice(row.raw, {column: file}, empty=not row.columns)
        # Most rows share one tuple of columns.
        names = columns if row.columns is table.columns else (*row.columns, column)
        return replace(row, columns=names, cells=[*row.cells, file], raw=raw)

    # Without a readable row there are no columns.
    return replace(table, columns=table.columns and columns, rows=map(named, table.rows))


def _open_delimited(
    kind: str,
    delimiter: str | None,
    first_line: str,
    lines: Iterator[str],
    source: str,
    no_header: bool,
) -> Table:
    if named := _SEPARATOR_LINE.fullmatch(first_line):
        delimiter = delimiter or named[1]
        first_line = "\n"  # blank lines are skipped, and counted
    if delimiter is None:
        delimiter = "\t" if kind == "tsv" else sniff_delimiter(first_line)
    lines = itertools.chain([first_line], lines)
    records = Records(lines, delimiter, source, stray_quotes=delimiter == "\t")
    return _delimited_table(records, kind, delimiter, source, no_header)


def _peek(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return the bytes up to the first chunk that is not blank, and all chunks."""
    head = b""
    for chunk in chunks:
        head += chunk
        if head.strip(_BLANK):
            break
    return head, itertools.chain([head] if head else [], chunks)


def _check_no_table(source: Input, kind: str, settings: ReadSettings) -> None:
    if settings.delimiter is not None or settings.no_header:
        raise UsageError(
            f"{source.name}: `delimiter` and `no_header` are for csv and tsv, not {kind}"
        )


def _check_no_words(source: Input, settings: ReadSettings) -> None:
    if settings.word_column is not None:
        raise UsageError(f"{source.name}: `word_column` is for CoNLL")


def _array_table(chunks: Iterator[bytes], source: Input, settings: ReadSettings) -> Table:
    _check_no_table(source, "json", settings)
    _check_no_words(source, settings)
    texts = (chunk.decode() for chunk in as_utf8(chunks, settings.encoding, source.name))
    first = next(texts, "").removeprefix("\ufeff")
    return _json_table("json", array_rows(itertools.chain([first], texts), source.name))


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


def _jsonl_rows(lines: Iterator[str], source: str) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if line.strip(" \t\r\n"):
            yield parse_line(line.rstrip("\r\n"), source, number)


def _json_table(kind: str, rows: Iterator[Row]) -> Table:
    """Return the table of rows whose columns are those of the first object."""
    peeked: list[Row] = []
    for row in rows:
        peeked.append(row)
        if row.error is None:
            return Table(kind, None, row.columns, itertools.chain(peeked, rows))
        if len(peeked) == _PATIENCE:
            others = f"the {_PATIENCE - 1} {'lines' if kind == 'jsonl' else 'elements'} after it"
            raise InputError(f"{peeked[0].error}; nor is any of {others} a JSON object")
    return Table(kind, None, (), iter(peeked))


def _delimited_table(
    records: Records, kind: str, delimiter: str, source: str, no_header: bool
) -> Table:
    first = next(records, None)
    if first is None:
        raise InputError(f"{source}: holds blank lines only; a header or a row is needed")
    width = len(first.cells)
    if no_header:
        columns = tuple(map(str, range(1, width + 1)))
        make_row = _row_maker(columns, source, delimiter, f"the first row has {width}")
        return Table(kind, delimiter, columns, map(make_row, itertools.chain([first], records)))
    if first.unclosed:
        raise InputError(
            f"{source}: line {first.line}, column {width}: the header has a quote that "
            "is never closed"
        )
    columns = tuple(first.cells)
    make_row = _row_maker(columns, source, delimiter, f"the header has {width}")
    return Table(kind, delimiter, columns, map(make_row, records))


def _row_maker(
    columns: tuple[str, ...], source: str, delimiter: str, expected: str
) -> Callable[[Record], Row]:
    """Return the function that makes rows of records; those that do not fit get an `error`."""
    width = len(columns)

    def row(record: Record) -> Row:
        cells = record.cells
        # Surplus cells that are empty hold nothing: spreadsheets end rows with delimiters.
        fits = len(cells) == width or (len(cells) > width and not any(cells[width:]))
        if fits and not record.unclosed:
            return Row(columns, cells[:width], source, record.line)
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
