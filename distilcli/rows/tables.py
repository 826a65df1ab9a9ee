"""One opened input: its first bytes tell its format and columns, then rows follow."""

import contextlib
import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from distilcli.errors import InputError, UsageError
from distilcli.rows.conll import sentences
from distilcli.rows.delimited import Record, Records
from distilcli.rows.excel import read_sheet
from distilcli.rows.formats import JSON_FORMATS, STORE_FORMATS, sniff_delimiter, sniff_format
from distilcli.rows.headed import headed_table
from distilcli.rows.inputs import ByteSource, Input
from distilcli.rows.json_array import BEGINS_ARRAY, array_rows
from distilcli.rows.jsonl import as_cell, parse_line
from distilcli.rows.lines import Encoding, as_utf8, checked_encoding, read_lines
from distilcli.rows.mistaken import check_first_line
from distilcli.rows.parquet import read_parquet
from distilcli.rows.row import Row
from distilcli.rows.sqlite import read_table
from distilcli.rows.squad import squad_rows
from distilcli.rows.stores import MAGIC, MULTIPLE, Store, StoreFile, StoreRow
from distilcli.rows.table import Table

# A file that begins with so many faulty lines is not JSONL.
_PATIENCE = 100
_SEPARATOR_LINE = re.compile(r'"?sep=([^"\r\n])"?[\r\n]*', re.IGNORECASE)
"""The line by which a spreadsheet names the delimiter."""
_COUNTED_TOGETHER = 256
_BLANK = b" \t\r\n\xef\xbb\xbf"  # with the byte order mark of UTF-8


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """How to read the inputs."""

    text_column: str | None
    join: str
    encoding: Encoding
    delimiter: str | None
    no_header: bool
    word_column: int | None = None
    max_field_bytes: int | None = None


def open_table(source: Input, file: ByteSource, settings: ReadSettings) -> Table:
    """Read the first line of an input (of JSONL up to its first object) and return its table.

    Raises `InputError` for an empty input and for one that is not in its format.
    """
    head, chunks = _peek(file.chunks)
    kind = _store_format(head, source)
    if source.part is not None and kind not in MULTIPLE:
        raise UsageError(
            f"{source.name}: '::{source.part}' names a table or a sheet, and it is neither a "
            "database nor a workbook"
        )
    if kind is not None:
        path = file.local_path(chunks)
        opened = StoreFile(path, source.name, source.part, file.resources)
        return _store_table(kind, _READERS[kind](opened), file, settings)
    if not settings.encoding.by_line:
        head, chunks = _peek(as_utf8(chunks, settings.encoding, source.name))
        settings = replace(settings, encoding=checked_encoding("utf-8"))
    if source.format in (None, *JSON_FORMATS) and BEGINS_ARRAY.match(head.lstrip(_BLANK)):
        return _array_table(chunks, source, settings)
    return _text_table(chunks, source, settings)


def _text_table(chunks: Iterator[bytes], source: Input, settings: ReadSettings) -> Table:
    lines = read_lines(chunks, settings.encoding, source.name)
    first_line = next(lines, None)
    if first_line is None:
        raise InputError(f"{source.name}: is empty; a header or a row is needed")
    kind, delimiter = source.format, settings.delimiter
    if kind != "conll":
        _check_no_words(source.name, settings)
    if kind is None:
        _check_no_values(first_line, source.name)
        kind, delimiter = _sniffed(first_line, settings)
    elif delimiter is None and not settings.no_header:
        check_first_line(first_line, kind, source.name, settings.text_column)
    if kind in ("csv", "tsv"):
        return _open_delimited(kind, delimiter, first_line, lines, source.name, settings.no_header)
    _check_no_table(source.name, kind, settings)
    lines = itertools.chain([first_line], lines)
    if kind == "txt":
        return _lines_table(lines, source.name)
    if kind == "jsonl":
        return _json_table("jsonl", _jsonl_rows(lines, source.name))
    if kind in ("json", "squad"):
        return Table("squad", None, *squad_rows("".join(lines), source.name))
    return Table("conll", None, *sentences(lines, source.name, settings.word_column))


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
    return headed_table(records, kind, delimiter, source, no_header)


_READERS: dict[str, Callable[[StoreFile], Store]] = {
    "parquet": read_parquet,
    "sqlite": read_table,
    "xlsx": read_sheet,
}


def _store_format(head: bytes, source: Input) -> str | None:
    """Return the format whose rows a library reads, None for text; the first bytes decide."""
    for magic, kind in MAGIC.items():
        if head.startswith(magic):
            return kind
    if source.format in STORE_FORMATS:
        what = {"parquet": "Parquet", "sqlite": "a SQLite database", "xlsx": "an Excel workbook"}
        raise InputError(f"{source.name}: is not {what[source.format]}; is it text?")
    return None


def _store_table(kind: str, store: Store, file: ByteSource, settings: ReadSettings) -> Table:
    if kind == "xlsx":
        _check_no_table(store.name, kind, replace(settings, no_header=False))
        records = (
            Record(row.number, list(map(as_cell, row.cells))) for row in _counted(store, file)
        )
        return headed_table(
            records, "xlsx", None, store.name, settings.no_header, notes=store.notes
        )
    _check_no_table(store.name, kind, settings)
    rows = (
        Row(store.columns, row.cells, store.name, row.number, stored=row.stored)
        for row in _counted(store, file)
    )
    return Table(kind, None, store.columns, rows, store.notes, store.types)


def _counted(store: Store, file: ByteSource) -> Iterator[StoreRow]:
    for row in store.rows:
        if store.total and not row.number % _COUNTED_TOGETHER:
            file.count_share(min(row.number / store.total, 1))
        yield row


def _peek(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return the bytes up to the first chunk that is not blank, and all chunks."""
    head = b""
    for chunk in chunks:
        head += chunk
        if head.strip(_BLANK):
            break
    return head, itertools.chain([head] if head else [], chunks)


def _check_no_table(name: str, kind: str, settings: ReadSettings) -> None:
    if settings.delimiter is not None or settings.no_header:
        raise UsageError(f"{name}: `delimiter` and `no_header` are for csv and tsv, not {kind}")


def _check_no_values(line: str, name: str) -> None:
    """Raise `InputError` for a JSON array of values, which would pass for a line of text."""
    with contextlib.suppress(ValueError, RecursionError):
        if isinstance(json.loads(line), list):
            raise InputError(
                f"{name}: is a JSON array of values; give objects, or `input_format` txt for lines"
            )


def _check_no_words(name: str, settings: ReadSettings) -> None:
    if settings.word_column is not None:
        raise UsageError(f"{name}: `word_column` is for CoNLL")


def _array_table(chunks: Iterator[bytes], source: Input, settings: ReadSettings) -> Table:
    _check_no_table(source.name, "json", settings)
    _check_no_words(source.name, settings)
    texts = (chunk.decode() for chunk in as_utf8(chunks, settings.encoding, source.name))
    first = next(texts, "").removeprefix("\ufeff")
    return _json_table("json", array_rows(itertools.chain([first], texts), source.name))


def _sniffed(first_line: str, settings: ReadSettings) -> tuple[str, str | None]:
    if settings.delimiter is not None or settings.no_header:
        # Only a table has a delimiter or can lack a header.
        return "csv", settings.delimiter
    return sniff_format(first_line, settings.text_column)


def _lines_table(lines: Iterator[str], source: str) -> Table:
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
