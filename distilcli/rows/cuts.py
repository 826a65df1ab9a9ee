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

_Open = Callable[[int], AbstractContextManager[Table]]


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


def find_cut(position: int, grid: Grid, open_file: _Open) -> Cut:
    """Return the first cut at or after a byte of all files.

    `open_file` opens the file of an index, if a cut may be within.
    """
    index, offset = grid.locate(position)
    if offset == 0 and grid.next_file(index) == index:
        return Cut(index, 0)
    if grid.file_size(index) >= grid.size:
        with open_file(index) as table:
            total, size, share = grid.file_size(index), _block_size(table, index, grid), offset
            if table.blocks is None and size != NEVER:
                total = _number_of_rows(table)
                share = -(-offset * total // grid.file_size(index))
            block = max(1, -(-share // size))
            if block * size < total:
                return Cut(index, block)
    return Cut(grid.next_file(index + 1), 0)


def find_place(cut: Cut, grid: Grid, open_file: _Open) -> Place | None:
    """Return a place at or before a cut; None is the beginning of its file."""
    if not cut.block:
        return None
    with open_file(cut.input) as table:
        if table.seek is None or table.seek.starts is None:
            return None
        return next(table.seek.starts([cut.block * _block_size(table, cut.input, grid)]))


def _block_size(table: Table, index: int, grid: Grid) -> int:
    """Return the bytes of a block, or its rows in a file that is cut by rows."""
    return grid.rows(index, table.total) if table.blocks is None else grid.size


def _number_of_rows(table: Table) -> int:
    """Return the number of rows; only files that can be read from any row know it exactly."""
    if table.seek is not None and table.seek.starts is not None:
        return table.total
    return sum(1 for _ in table.rows)
