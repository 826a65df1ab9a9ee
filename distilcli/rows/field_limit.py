"""Cells that are longer than a limit make their row unusable, and its other columns stay."""

from collections.abc import Iterable, Iterator

from distilcli.errors import spelled
from distilcli.rows.jsonl import as_cell
from distilcli.rows.row import Row

_LONGEST_CHARACTER = 4  # bytes in UTF-8


def within(rows: Iterable[Row], most: int) -> Iterator[Row]:
    """Yield rows; one with a cell of more than `most` bytes, as UTF-8, gets an `error`."""
    for row in rows:
        if row.error is None:
            _check(row, most)
        yield row


def _check(row: Row, most: int) -> None:
    if row.raw is not None and len(row.raw) * _LONGEST_CHARACTER <= most:
        return
    for name, cell in zip(row.columns, row.cells, strict=False):
        size = len(cell) if isinstance(cell, bytes) else _size(as_cell(cell), most)
        if size > most:
            where = f"{row.source}: line {row.line}, column {name!r}"
            row.error = spelled(
                f"{where}: a cell of {size:,} bytes, more than `max_field_bytes` {most:,}"
            )
            return


def _size(text: str, most: int) -> int:
    """Return the bytes of a text, or its characters where that is enough to know."""
    if len(text) * _LONGEST_CHARACTER <= most:
        return len(text)
    return len(text.encode("utf-8", "surrogatepass"))
