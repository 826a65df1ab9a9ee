"""Whole files as rows, and the name of its file beside each row."""

from collections.abc import Iterator
from dataclasses import replace

from distilcli.errors import InputError, UsageError
from distilcli.rows.inputs import Input
from distilcli.rows.jsonl import splice
from distilcli.rows.lines import LONGEST, Encoding, read_lines
from distilcli.rows.row import Row
from distilcli.rows.table import Table


def file_table(source: Input, chunks: Iterator[bytes], encoding: Encoding) -> Table:
    """Return the table of a whole file: a row that is its text, or has an `error`."""
    columns = ("text",)

    def rows() -> Iterator[Row]:
        text, error = "", None
        try:
            text = whole_text(chunks, encoding, source.name)
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

    seek = table.seek
    if seek is not None:
        rows_from = seek.rows_from
        seek = replace(seek, rows_from=lambda place: map(named, rows_from(place)))
    # Without a readable row there are no columns.
    return replace(table, columns=table.columns and columns, rows=map(named, table.rows), seek=seek)
