"""The thread that turns items into batches for the workers."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Generic, NamedTuple

from distilcli.engine.batching import cut_batches
from distilcli.engine.task import Encoded, Item, Task
from distilcli.engine.window import Window
from distilcli.engine.workers import Workers
from distilcli.errors import RowError
from distilcli.rows.prefetch import ReadAhead
from distilcli.stats import RunStats


class _Content(NamedTuple):
    """The items of a window, encoded; it `fell_short` if it was not full."""

    items: Sequence[Any]
    rows: Sequence[Encoded | RowError]
    fell_short: bool


@dataclass(eq=False, kw_only=True)
class Feeder(Generic[Item]):
    """Fills windows in the order they were opened, and submits their batches.

    It works only as far as windows were opened, which bounds the memory of a run. With
    `stop_at_fault`, rows after the first that cannot be encoded are ignored.

    A run that is one batch in all gets all cores for it, unless the items are live: then a batch
    does that comes alone. `is_part` says, at the end of the items, whether others come before or
    after them in another run, whose bits must not depend on where it was cut.

    Until the task `is_settled`, windows of a file are kept back, for `window_rows` at most: which
    model it runs may depend on the rows of several windows.
    """

    task: Task[Item, Any, Any, Any]
    read_ahead: ReadAhead[Item]
    workers: Workers
    max_rows: int | None
    window_rows: int
    stop_at_fault: bool
    on_end: Callable[[], None]
    is_settled: Callable[[], bool]
    is_part: Callable[[], bool]
    stats: RunStats

    def __post_init__(self) -> None:
        self._is_first = True
        self._opened: SimpleQueue[Window[Item] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._feed, name="distil-feeder", daemon=True)

    def start(self) -> None:
        """Start filling windows."""
        self._thread.start()

    def open_window(self) -> Window[Item]:
        """Add one more window in flight and return it; it is filled in its turn."""
        window: Window[Item] = Window()
        self._opened.put(window)
        return window

    def close(self) -> None:
        """Stop after the current window; close the read-ahead first."""
        self._opened.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def _feed(self) -> None:
        contents = self._contents()
        for window in iter(self._opened.get, None):
            try:
                more = self._fill(window, next(contents))
            except BaseException as error:  # noqa: BLE001 (raised again on the caller's thread)
                window.fail(error)
                more = False
            if not more:
                return

    def _contents(self) -> Iterator[_Content]:
        """Yield the contents of the windows; the last one has no items."""
        kept: deque[_Content] = deque()
        items: Sequence[Item] = ()
        while True:
            try:
                items = self.read_ahead.take()
            except BaseException:
                yield from kept
                raise
            kept.append(self._encoded(items))
            rows = sum(len(content.items) for content in kept)
            if not items or self._may_run() or rows >= self.window_rows:
                while kept:
                    yield kept.popleft()

    def _may_run(self) -> bool:
        return self.read_ahead.is_live or self.is_settled()

    def _encoded(self, items: Sequence[Item]) -> _Content:
        rows = self.task.encode(items) if items else []
        if self.read_ahead.is_exhausted:
            self.on_end()
        return _Content(items, rows, self.read_ahead.fell_short)

    def _fill(self, window: Window[Item], content: _Content) -> bool:
        """Fill a window and submit it; return False if it is the last."""
        items, rows, fell_short = content
        faults = (index for index, row in enumerate(rows) if isinstance(row, RowError))
        fault = next(faults, None) if self.stop_at_fault else None
        if fault is not None:
            items, rows = items[: fault + 1], rows[: fault + 1]
        window.fill(items, rows)
        lengths = [len(piece) for piece in window.pieces]
        self.stats.add_encoded(sum(lengths))
        batches = cut_batches(lengths, max_tokens=self.workers.max_tokens, max_rows=self.max_rows)
        is_all = self._is_first and fell_short and not self.is_part()
        self._is_first = False
        alone = None if self.read_ahead.is_live else is_all
        self.workers.submit(window, list(batches), alone=alone)
        return bool(items) and fault is None
