"""Read ahead: a thread pulls items from an iterable into a bounded buffer.

`take` waits until the buffer is full, so that the same items make the same windows in every run.
A live source may block for hours, and its consumer must not block with it: there `take` waits for
one item and returns it with whatever else has come by then. It lingers a moment only while items
keep arriving in quick succession, because sorting a window of three rows gains little.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")

_QUIET_SECONDS = 0.002  # no item for this long: the source has paused
_LINGER_SECONDS = 0.02  # a row that has come is never held longer than this
_JOIN_SECONDS = 0.1  # a reader blocked in a pipe cannot be waited for
_POLL_SECONDS = 0.2  # Windows delivers Ctrl-C only between waits


class ReadAhead(Generic[Item]):
    """A buffer of at most `max_rows` items, or of `max_size` characters and one more item.

    An item that `begins` a block does not share it with those before. `fell_short` says whether the
    last `take` found it not full. Unless the source is live, that means that the items had ended.
    """

    def __init__(
        self,
        items: Iterable[Item],
        *,
        max_rows: int,
        live: bool,
        size: Callable[[Item], int] = lambda _: 0,
        max_size: int = sys.maxsize,
        begins: Callable[[Item], bool] = lambda _: False,
    ) -> None:
        """Read from `items`; with `live` they may take any time to come."""
        self._source = items
        self.is_live = live
        self.fell_short = False
        self._size = size
        self._max_rows = max_rows
        self._max_size = max_size
        self._begins = begins
        self._is_whole_block = False
        self._waiting: list[Item] = []
        self._waiting_size = 0
        self._ended = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, name="distil-reader", daemon=True)

    def start(self) -> None:
        """Start pulling items."""
        self._thread.start()

    def __iter__(self) -> Iterator[list[Item]]:
        """Yield what `take` returns until the end."""
        while items := self.take():
            yield items

    def take(self) -> list[Item]:
        """Wait for items and return all that have come; an empty list is the end.

        Raises what the iterable raised, once the items before it have been taken.
        """
        with self._changed:
            while not (
                self._ended
                or self._full()
                or self._is_whole_block
                or (self.is_live and self._waiting)
            ):
                self._changed.wait(_POLL_SECONDS)
            if self.is_live:
                self._linger()
            self.fell_short = not (self._full() or self._is_whole_block)
            items, self._waiting, self._waiting_size = self._waiting, [], 0
            self._is_whole_block = False
            self._changed.notify_all()
            if not items and self._error is not None:
                raise self._error
            return items

    @property
    def is_exhausted(self) -> bool:
        """Whether the items have ended and all were taken."""
        with self._changed:
            return self._ended and not self._waiting

    def close(self) -> None:
        """Stop pulling, drop what was not taken, and release a waiting `take`."""
        with self._changed:
            self._ended = True
            self._waiting = []
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(_JOIN_SECONDS)

    def _linger(self) -> None:
        deadline = time.monotonic() + _LINGER_SECONDS
        seen = 0
        while seen < len(self._waiting) and not self._full() and not self._ended:
            if time.monotonic() >= deadline:
                return
            seen = len(self._waiting)
            self._changed.wait(_QUIET_SECONDS)

    def _full(self) -> bool:
        return len(self._waiting) >= self._max_rows or self._waiting_size >= self._max_size

    def _read(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._source:
                if not self._put(item, self._size(item)):
                    return
        except BaseException as raised:  # noqa: BLE001 (`take` raises it again)
            error = raised
        with self._changed:
            self._ended = True
            self._error = error
            self._changed.notify_all()

    def _put(self, item: Item, size: int) -> bool:
        """Add an item once there is room; False after `close`."""
        with self._changed:
            if self._waiting and self._begins(item):
                self._is_whole_block = True
                self._changed.notify_all()
            while (self._full() or self._is_whole_block) and not self._ended:
                self._changed.wait()
            if self._ended:
                return False
            self._waiting.append(item)
            self._waiting_size += size
            # A wake-up per item would cost more than the item.
            if len(self._waiting) == 1 or self._full():
                self._changed.notify_all()
            return True
