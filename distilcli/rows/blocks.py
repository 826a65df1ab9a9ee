"""Blocks: the stretches of rows that a run batches by themselves, so that shards can end between.

Which rows share a batch decides the last bits of their results. So a run over files begins a new
window of the engine with each block, and a shard consists of whole blocks: then its rows have the
same results as in the run over all of them. Where blocks begin depends on the files alone, and can
be found without reading what comes before: in plain text files by bytes, in others by rows.
"""

import bisect
import itertools
from collections import deque
from collections.abc import Sequence

_MIN_BYTES, _USUAL_BYTES, _MAX_BYTES = 1 << 10, 1 << 17, 1 << 20
_MIN_ROWS, _USUAL_ROWS, _MAX_ROWS = 16, 128, 4096
_BYTES_PER_ROW = 100
# Blocks in a small input, and in one of more than a few MB.
_FEW, _MANY = 4, 32
NEVER = 1 << 62


class Grid:
    """Where blocks begin in files of these sizes, read one after the other.

    A block has `size` bytes, about 128 KiB: less in small inputs, so that they can be cut, and up
    to 1 MiB in large ones. Small files share a block. `total` is the size of all files.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self._starts = [0, *itertools.accumulate(sizes)]
        self.total = self._starts[-1]
        self.size = _share_of(self.total, _MIN_BYTES, _USUAL_BYTES, _MAX_BYTES)

    def begins(self, index: int) -> bool:
        """Return whether a block begins with the file of this index, which is not the first."""
        return self._starts[index] // self.size != self._starts[index - 1] // self.size

    def file_size(self, index: int) -> int:
        """Return the bytes of a file."""
        return self._starts[index + 1] - self._starts[index]

    def start(self, index: int) -> int:
        """Return the bytes before a file."""
        return self._starts[index]

    def rows(self, index: int, total: int) -> int:
        """Return the rows per block of a file that is cut by rows; `total` is 0 if unknown."""
        size = self.file_size(index)
        if size < self.size:
            return NEVER
        total = total or size // _BYTES_PER_ROW
        return _share_of(total, _MIN_ROWS, _USUAL_ROWS, _MAX_ROWS)

    def locate(self, position: int) -> tuple[int, int]:
        """Return the file with this byte of all of them, and the byte in it."""
        index = bisect.bisect_right(self._starts, position) - 1
        return index, position - self._starts[index]

    def next_file(self, index: int) -> int:
        """Return the first file from this index on with which a block begins."""
        count = len(self._starts) - 1
        return next((at for at in range(index, count) if at == 0 or self.begins(at)), count)


def _share_of(total: int, smallest: int, usual: int, largest: int) -> int:
    """Return the size of a block: the power of two at or below a share of the total."""
    size = max(min(total // _FEW, usual), total // _MANY)
    return 1 << (min(max(size, smallest), largest).bit_length() - 1)


class LineBlocks:
    """The blocks of a text file: a row is in that of the byte at which its first line begins.

    The reader of lines tells where blocks begin, which is before their rows are asked for.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._begun: deque[tuple[int, int]] = deque()
        self._block = 0
        self.next_offset = size

    def go_to(self, offset: int) -> None:
        """Go on reading lines at a byte."""
        self._begun.clear()
        self._block = offset // self._size
        self.next_offset = (self._block + 1) * self._size

    def note(self, offset: int, line: int) -> None:
        """Note a line that begins at or after `next_offset`."""
        block = offset // self._size
        self._begun.append((line, block))
        self.next_offset = (block + 1) * self._size

    def of(self, line: int) -> int:
        """Return the block of a row that begins in this line; lines never go back."""
        while self._begun and self._begun[0][0] <= line:
            self._block = self._begun.popleft()[1]
        return self._block
