"""A window: rows that are encoded, sorted and finished together."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any, Generic

from distilcli.engine.batching import Piece
from distilcli.engine.task import Encoded, Item
from distilcli.errors import RowError


class Window(Generic[Item]):
    """Rows in flight: filled once, then completed by the workers piece by piece, in any order.

    `done` is set when every piece has its output, when `failure` is set, or when a batch is left
    for the waiting thread to run. A window that is done without items or failure ends the input.
    """

    def __init__(self) -> None:
        self.items: Sequence[Item] = ()
        self.pieces: list[Piece] = []
        self.failure: BaseException | None = None
        self.done = threading.Event()
        self._rows: Sequence[Encoded | RowError] = ()
        self._outputs: list[object] = []
        self._missing = 0
        self.tokens = self.positions = self.batches = 0
        self._left: list[int] | None = None
        self._lock = threading.Lock()

    def fill(self, items: Sequence[Item], rows: Sequence[Encoded | RowError]) -> None:
        """Set the items and their encoded rows, one for one; none at the end of the input."""
        if len(rows) != len(items):
            raise ValueError(f"encode gave {len(rows)} results for {len(items)} items")
        self.items, self._rows = items, rows
        self.pieces = [piece for row in rows if isinstance(row, Encoded) for piece in row.pieces]
        self._outputs = [None] * len(self.pieces)
        self._missing = len(self.pieces)
        if not self._missing:
            self.done.set()

    def put(self, positions: Sequence[int], outputs: Sequence[object]) -> None:
        """Set the outputs of the pieces at these positions."""
        for position, output in zip(positions, outputs, strict=True):
            self._outputs[position] = output
        with self._lock:
            self._missing -= len(positions)
            if not self._missing:
                self.done.set()

    def add_batch(self, *, tokens: int, positions: int) -> None:
        """Count a batch that was run: its tokens, and its positions with padding."""
        with self._lock:
            self.batches += 1
            self.tokens += tokens
            self.positions += positions

    def leave(self, positions: list[int]) -> None:
        """Leave the pieces at these positions to the thread that waits for the window."""
        self._left = positions
        self.done.set()

    def take_left(self) -> list[int] | None:
        """Return the positions that were left, once, and wait again; None if there are none."""
        left, self._left = self._left, None
        if left is not None:
            self.done.clear()
        return left

    def fail(self, error: BaseException) -> None:
        """Give the window up; the first error is kept."""
        with self._lock:
            if self.failure is None:
                self.failure = error
        self.done.set()

    def rows(self) -> Iterator[tuple[Item, Encoded | RowError, list[object]]]:
        """Yield each item, in order, with its encoded row and the outputs of its pieces.

        After that only the items of the window are kept: the tokens of a long text take memory.
        """
        start = 0
        for item, row in zip(self.items, self._rows, strict=True):
            stop = start + (len(row.pieces) if isinstance(row, Encoded) else 0)
            yield item, row, self._outputs[start:stop]
            start = stop
        self._rows, self._outputs, self.pieces = (), [], []


AnyWindow = Window[Any]
