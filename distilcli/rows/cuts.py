"""Where shards of the rows of several files begin and end: always with a block.

A shard begins with the first block that begins at or after its share of the bytes. A file that can
only be cut by rows is taken to have equally long ones.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple

from distilcli.rows.blocks import NEVER, Grid
from distilcli.rows.place import Place
from distilcli.rows.row import Row
from distilcli.rows.table import Table


class Cut(NamedTuple):
    """A block that begins a shard: the index of its file, and its number in the file."""

    input: int
    block: int


def numbered(
    table: Table, rows: Iterator[Row], size: int, before: int
) -> Iterator[tuple[int, Row]]:
    """Yield rows of a table with the number of their block.

    A file that is cut by rows has `size` rows per block, and `before` of them are not read.
    """
    if table.blocks is None:
        return ((number // size, row) for number, row in enumerate(rows, start=before))
    block_of = table.blocks.of
    return ((block_of(row.line), row) for row in rows)


def find_cut(
    position: int, grid: Grid, open_file: Callable[[int], AbstractContextManager[Table]]
) -> tuple[Cut, Place | None]:
    """Return the first cut at or after a byte of all files, and a place at or before it.

    `open_file` opens the file of an index, if a cut may be within.
    """
    index, offset = grid.locate(position)
    if offset == 0 and grid.next_file(index) == index:
        return Cut(index, 0), None
    if grid.file_size(index) >= grid.size:
        with open_file(index) as table:
            total, size = grid.file_size(index), grid.size
            share = offset
            if table.blocks is None:
                size = grid.rows(index, table.total)
                total = table.total or (sum(1 for _ in table.rows) if size != NEVER else 0)
                share = -(-offset * total // grid.file_size(index))
            block = max(1, -(-share // size))
            if block * size < total:
                return Cut(index, block), _place(table, block * size)
    return Cut(grid.next_file(index + 1), 0), None


def _place(table: Table, position: int) -> Place | None:
    if table.seek is None or table.seek.starts is None:
        return None
    return next(table.seek.starts([position]))
