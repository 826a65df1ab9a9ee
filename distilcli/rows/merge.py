"""Finished parts of a sharded run, put together as the whole run would have written them.

JSON and CoNLL are joined as text. The cells of CSV, TSV and SQLite are written again under the
columns of all parts, because one that only some rows have may be in some parts alone. Parquet keeps
the row groups of the parts. Compressed files have the same content and may be cut elsewhere.
"""

import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from distilcli.errors import InputError, UsageError
from distilcli.rows.compression import decompress
from distilcli.rows.extras import require_parquet
from distilcli.rows.file_output import FileOutput
from distilcli.rows.formats import output_format_of, split_suffixes
from distilcli.rows.manifest import Manifest, has_manifest
from distilcli.rows.output import Output, check_destination, open_output
from distilcli.rows.reader import open_rows
from distilcli.rows.row import Row
from distilcli.rows.sqlite_writer import check_table
from distilcli.rows.writer import open_writer
from distilcli.wording import count

_AT_ONCE = 1024
_Key = tuple[bool, str, int]
"""A column: whether it is the input's, its name, and how often that came before."""


def check_merged(output: str, kind: str, *, force: bool) -> None:
    """Raise `UsageError` if parts of that format cannot be put together in this file."""
    if has_manifest(output):
        raise UsageError(f"{output}: is itself a part; name the file to write first")
    if split_suffixes(output)[0] != kind:
        raise UsageError(f"{output}: the parts are {kind}; name a .{kind} file")
    output_format_of(output, [kind])
    if kind == "sqlite":
        check_table(output, force=force)
    else:
        check_destination(output, force=force)


def merge_rows(output: str, parts: Sequence[Manifest], *, force: bool) -> int:
    """Write the rows of all parts to one file and return their number.

    `check_merged` was asked before. Raises `InputError` for a part that is not as it was written.
    """
    kind = parts[0].format
    filled = [part for part in parts if part.rows] or parts[:1]
    if kind == "parquet":
        return _merge_parquet(output, filled, force=force)
    if kind in _JOINED:
        return _merge_text(output, filled, _JOINED[kind](), force=force)
    return _merge_cells(output, parts, filled, force=force)


def check_rows(part: Manifest, found: int) -> None:
    """Raise `InputError` if a part has lost rows, or got others."""
    if found != part.rows:
        raise InputError(
            f"{part.path}: holds {count(found, 'row')}, and its .run.json says {part.rows:,}; "
            f"run shard {part.shard} again"
        )


# Cells


def _merge_cells(
    output: str, parts: Sequence[Manifest], filled: Sequence[Manifest], *, force: bool
) -> int:
    keys = {part.path: _keys(part) for part in parts}
    every = list(dict.fromkeys(key for part in parts for key in keys[part.path]))
    if parts[0].format != "sqlite":
        every.sort(key=lambda key: not key[0])  # the input's first
    names = [name for _, name, _ in every]
    base = itertools.takewhile(lambda key: key[0], every)
    writer = open_writer(
        output,
        columns=[name for _, name, _ in base],
        new_columns=parts[0].added,
        input_format="csv",
        delimiter=parts[0].delimiter,
        output_format=parts[0].format,
        force=force,
    )
    total = 0
    with writer:
        writer.adopt(names)
        for part in filled:
            order = _order(keys[part.path], every)
            with _open(part) as source:
                rows = (_arranged(row, names, order) for row in source)
                found = 0
                while block := list(itertools.islice(rows, _AT_ONCE)):
                    writer.copy(block)
                    found += len(block)
            check_rows(part, found)
            total += found
    return total


def _open(part: Manifest) -> Any:
    return open_rows([part.path], input_format=part.format, delimiter=part.delimiter)


def _keys(part: Manifest) -> list[_Key]:
    with _open(part) as source:
        columns = source.columns
    first = columns.index(part.added[0]) if part.added[0] in columns else len(columns)
    last = first + len(part.added)
    seen: Counter[str] = Counter()
    keys: list[_Key] = []
    for index, name in enumerate(columns):
        # A database gets late columns of the input after the added ones.
        is_input = index < first
        if part.format == "sqlite" and index >= last:
            is_input = not name.endswith(("error", "truncated"))
        keys.append((is_input, name, seen[name]))
        seen[name] += 1
    return keys


def _order(keys: Sequence[_Key], every: Sequence[_Key]) -> list[int | None] | None:
    """Return the index of each of the columns in a part, None if they are those of the part."""
    indices = {key: index for index, key in enumerate(keys)}
    return None if list(keys) == list(every) else [indices.get(key) for key in every]


def _arranged(row: Row, names: Sequence[str], order: Sequence[int | None] | None) -> Row:
    if order is None:
        return row
    cells = [None if index is None else row.cells[index] for index in order]
    return Row(tuple(names), cells, row.source, row.line)


# Text


class _JsonLines:
    """Joins lines."""

    def text(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield what a part adds to the file."""
        return chunks

    def end(self) -> bytes:
        """Return what ends the file."""
        return b""


class _JsonArray:
    """Joins arrays with an element per line."""

    def __init__(self) -> None:
        self._begun = False

    def text(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """See `_JsonLines`."""
        opening, held = b"[\n", b""
        for chunk in chunks:
            whole = held + chunk
            if opening:
                if len(whole) <= len(opening):
                    held = whole
                    continue
                whole = (b",\n" if self._begun else opening) + whole.removeprefix(opening)
                opening = b""
            # The last three bytes may be the end of the array.
            yield whole[:-3]
            held = whole[-3:]
        self._begun = True

    def end(self) -> bytes:
        """See `_JsonLines`."""
        return b"\n]\n" if self._begun else b"[]\n"


class _Sentences:
    """Joins sentences; the last one of an input may lack its blank line."""

    def __init__(self) -> None:
        self._last = b"\n"

    def text(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """See `_JsonLines`."""
        if self._last.rstrip(b"\r\n") and self._last.rsplit(b"\n", 2)[-2].strip():
            yield b"\n"
        for chunk in chunks:
            self._last = (self._last + chunk)[-_AT_ONCE:]
            yield chunk

    def end(self) -> bytes:
        """See `_JsonLines`."""
        return b""


_JOINED: dict[str, Callable[[], Any]] = {
    "jsonl": _JsonLines,
    "json": _JsonArray,
    "conll": _Sentences,
}


def _merge_text(output: str, parts: Sequence[Manifest], joined: Any, *, force: bool) -> int:
    with _whole(open_output(output, split_suffixes(output)[1], force=force)) as file:
        for part in parts:
            if not part.rows:
                continue
            for chunk in joined.text(_chunks(part.path)):
                file.write_bytes(chunk)
                file.flush()
        file.write_bytes(joined.end())
    return sum(part.rows for part in parts)


def _chunks(path: str) -> Iterator[bytes]:
    with Path(path).open("rb", buffering=0) as file:
        yield from decompress(file, split_suffixes(path)[1], path)


@contextlib.contextmanager
def _whole(output: Output) -> Iterator[FileOutput]:
    if not isinstance(output, FileOutput):
        output.discard()
        raise UsageError("parts are put together in a file, not in a pipe; name a file")
    try:
        yield output
        output.commit()
    except BaseException:
        output.discard()
        raise


# Parquet


def _merge_parquet(output: str, parts: Sequence[Manifest], *, force: bool) -> int:
    arrow, parquet = require_parquet()
    schema = _common_schema(arrow, parquet, parts)
    with (
        _whole(open_output(output, None, force=force)) as whole,
        parquet.ParquetWriter(whole.file, schema) as writer,
    ):
        for part in parts:
            with _parquet_file(arrow, parquet, part) as file:
                check_rows(part, file.metadata.num_rows)
                for group in range(file.num_row_groups):
                    rows = file.read_row_group(group).cast(schema)
                    with whole.explained():
                        writer.write_table(rows)
    return sum(part.rows for part in parts)


@contextlib.contextmanager
def _parquet_file(arrow: Any, parquet: Any, part: Manifest) -> Iterator[Any]:
    """Open a part, one at a time: there may be more of them than files that may be open."""
    try:
        with parquet.ParquetFile(part.path) as file:
            yield file
    except arrow.ArrowException as error:
        raise InputError(f"{part.path}: is damaged; run shard {part.shard} again") from error


def _common_schema(arrow: Any, parquet: Any, parts: Sequence[Manifest]) -> Any:
    """Return the schema of the first part that has a value in each column, which makes its type."""
    schemas = []
    for part in parts:
        with _parquet_file(arrow, parquet, part) as file:
            schemas.append(file.schema_arrow)
    schema = schemas[0]
    for part, other in zip(parts, schemas, strict=True):
        if other.names != schema.names:
            raise InputError(
                f"{part.path}: has other columns than {parts[0].path}, and Parquet fixes its "
                "columns; write JSONL"
            )
    fields = []
    for index, field in enumerate(schema):
        kinds = [other.field(index).type for other in schemas]
        if any(kind != field.type for kind in kinds):
            for part, kind in zip(parts, kinds, strict=True):
                with _parquet_file(arrow, parquet, part) as file:
                    has_values = _has_values(file, field.name)
                if has_values:
                    field = field.with_type(kind)  # noqa: PLW2901
                    break
        fields.append(field)
    return arrow.schema(fields, metadata=schema.metadata)


def _has_values(file: Any, column: str) -> bool:
    return any(
        (found := file.read_row_group(group, [column]).column(0)).null_count < len(found)
        for group in range(file.num_row_groups)
    )
