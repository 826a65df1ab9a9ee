"""One opened input: its first bytes tell its format and columns, then rows follow."""

import contextlib
import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from distilcli.errors import InputError, UsageError
from distilcli.rows.blocks import LineBlocks
from distilcli.rows.conll import sentences, sentences_from
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
from distilcli.rows.place import Place, Seek
from distilcli.rows.record_starts import record_starts
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


def open_table(
    source: Input, file: ByteSource, settings: ReadSettings, block_size: int | None = None
) -> Table:
    """Read the first line of an input (of JSONL up to its first object) and return its table.

    Blocks of a text file have `block_size` bytes.
    Raises `InputError` for an empty input and for one that is not in its format.
    """
    head, chunks = _peek(file.chunks)
    kind = _store_format(head, source)
    if source.part is not None and kind not in MULTIPLE:
        raise UsageError(
            f"{source.name}: '::{source.part}' names a table or sheet, but the file is neither a "
            "database nor a workbook"
        )
    if kind is not None:
        path = file.local_path(chunks)
        store = _READERS[kind](StoreFile(path, source.name, source.part, file.resources))
        return _store_table(kind, store, file, settings)
    can_seek = settings.encoding.by_line and file.can_seek
    if not settings.encoding.by_line:
        head, chunks = _peek(as_utf8(chunks, settings.encoding, source.name))
        settings = replace(settings, encoding=checked_encoding("utf-8"))
    if source.format in (None, *JSON_FORMATS) and BEGINS_ARRAY.match(head.lstrip(_BLANK)):
        return _array_table(chunks, source, settings)
    blocks = LineBlocks(block_size) if can_seek and block_size is not None else None
    table, opened, place = _text_table(chunks, source, settings, blocks)
    if opened is None or not can_seek:
        return table
    return replace(table, seek=_seek(opened, place, source, file, settings, blocks), blocks=blocks)


def _text_table(
    chunks: Iterator[bytes], source: Input, settings: ReadSettings, blocks: LineBlocks | None
) -> "tuple[Table, _Opened | None, Place]":
    """Return an input's table, what more is known if it consists of lines, and the place."""
    place = Place()
    lines = read_lines(chunks, settings.encoding, source.name, place, blocks)
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
    lines = itertools.chain([first_line], lines)
    if kind in ("json", "squad"):
        _check_no_table(source.name, kind, settings)
        return Table("squad", None, *squad_rows("".join(lines), source.name)), None, place
    if kind in ("csv", "tsv"):
        opened = _delimited(kind, delimiter, first_line, lines, source.name, settings.no_header)
    else:
        _check_no_table(source.name, kind, settings)
        opened = _OPENERS[kind](lines, source.name, settings)
    return opened.table, opened, place


def _seek(
    opened: "_Opened",
    place: Place,
    source: Input,
    file: ByteSource,
    settings: ReadSettings,
    blocks: LineBlocks | None,
) -> Seek:
    """Return how to continue reading lines elsewhere; `place` is where the next one begins."""
    peeked = place.line  # rows of earlier lines are yielded later than these were read

    def after(_: Row) -> Place | None:
        known = place.line > peeked and opened.next_line() in (None, place.line)
        return replace(place) if known else None

    def rows_from(start: Place) -> Iterator[Row]:
        place.offset, place.line = start.offset, start.line
        file.seek(start.offset)
        if blocks is not None:
            blocks.go_to(start.offset)
        lines = read_lines(file.chunks, settings.encoding, source.name, place, blocks)
        return opened.rows_of(lines, start.line)

    def starts(offsets: Sequence[int]) -> Iterator[Place | None]:
        if source.path is None or opened.table.format == "conll":
            # Comments belong to the sentence after them, however far ahead they are.
            yield from (None for _ in offsets)
            return
        encoding, delimiter = settings.encoding.name, opened.table.delimiter
        for found in record_starts(source.path, offsets, encoding, delimiter):
            yield found if found.line >= peeked else None

    return Seek(after, rows_from, starts)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A table of lines.

    `rows_of` turns further lines into rows, given the number of the first. `next_line` is the line
    after the last row, if it may have been read already (otherwise None).
    """

    table: Table
    rows_of: Callable[[Iterator[str], int], Iterator[Row]]
    next_line: Callable[[], int | None] = lambda: None


def _delimited(
    kind: str,
    delimiter: str | None,
    first_line: str,
    lines: Iterator[str],
    source: str,
    no_header: bool,
) -> _Opened:
    if named := _SEPARATOR_LINE.fullmatch(first_line):
        delimiter = delimiter or named[1]
        next(lines)
        lines = itertools.chain(["\n"], lines)  # blank lines are skipped, and counted
        first_line = "\n"
    if delimiter is None:
        delimiter = "\t" if kind == "tsv" else sniff_delimiter(first_line)
    stray_quotes = delimiter == "\t"
    records = Records(lines, delimiter, source, stray_quotes=stray_quotes)
    table, row_of = headed_table(records, kind, delimiter, source, no_header)

    def rows_of(lines: Iterator[str], first_line: int) -> Iterator[Row]:
        nonlocal records
        records = Records(
            lines,
            delimiter,
            source,
            stray_quotes=stray_quotes,
            width=len(table.columns),
            first_line=first_line,
        )
        return map(row_of, records)

    return _Opened(table, rows_of, lambda: records.next_line)


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
        table, _ = headed_table(
            records, "xlsx", None, store.name, settings.no_header, notes=store.notes
        )
        return replace(table, total=store.total)
    _check_no_table(store.name, kind, settings)

    def rows_from(start: Place | None) -> Iterator[Row]:
        return (
            Row(store.columns, row.cells, store.name, row.number, stored=row.stored)
            for row in _counted(store, file, start)
        )

    place = store.place
    seek = None if place is None else Seek(lambda _: place(), rows_from)
    if seek is not None and kind == "parquet":  # the ids of other rows are not their numbers
        seek = replace(seek, starts=lambda rows: (Place(0, row + 1) for row in rows))
    return Table(
        kind,
        None,
        store.columns,
        rows_from(None),
        store.notes,
        store.types,
        seek,
        total=store.total,
    )


def _counted(store: Store, file: ByteSource, start: Place | None = None) -> Iterator[StoreRow]:
    for row in store.rows_from(start):
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


def _texts(lines: Iterator[str], source: str, _: ReadSettings) -> _Opened:
    columns = ("text",)

    def rows_of(lines: Iterator[str], first_line: int) -> Iterator[Row]:
        return (
            Row(columns, [line.rstrip("\r\n")], source, number)
            for number, line in enumerate(lines, start=first_line)
        )

    return _Opened(Table("txt", None, columns, rows_of(lines, 1)), rows_of)


def _jsonl(lines: Iterator[str], source: str, _: ReadSettings) -> _Opened:
    def rows_of(lines: Iterator[str], first_line: int) -> Iterator[Row]:
        for number, line in enumerate(lines, start=first_line):
            if line.strip(" \t\r\n"):
                yield parse_line(line.rstrip("\r\n"), source, number)

    return _Opened(_json_table("jsonl", rows_of(lines, 1)), rows_of)


def _conll(lines: Iterator[str], source: str, settings: ReadSettings) -> _Opened:
    shape, rows = sentences(lines, source, settings.word_column)

    def rows_of(lines: Iterator[str], first_line: int) -> Iterator[Row]:
        return sentences_from(lines, shape, source, first_line)

    return _Opened(Table("conll", None, shape.columns, rows), rows_of)


_OPENERS: dict[str, Callable[[Iterator[str], str, ReadSettings], _Opened]] = {
    "txt": _texts,
    "jsonl": _jsonl,
    "conll": _conll,
}


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
