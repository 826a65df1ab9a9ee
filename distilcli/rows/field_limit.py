"""A cell that is longer than a limit makes its row unusable; the other columns are kept."""

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
    """Return the number of bytes in a text, or of characters where that is enough to decide."""
    if len(text) * _LONGEST_CHARACTER <= most:
        return len(text)
    return len(text.encode("utf-8", "surrogatepass"))
