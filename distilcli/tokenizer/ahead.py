"""An iterable run on a thread of its own, so that its next items are ready when they are wanted.

Whoever takes items gets what has come, and waits only where nothing has: a live pipe is never
made to wait for rows that have not come.
"""

import contextlib
import queue
import threading
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Generic, TypeVar

Item = TypeVar("Item")

_POLL_SECONDS = 0.2


class _End:
    """The last thing in the queue: why there is nothing more."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Ahead(Generic[Item]):
    """Blocks of at most `most` items, which is also how far the thread runs ahead.

    To be used as a context manager, which lets the thread go. What the iterable raises is raised
    to the taker, after the items that came before it.
    """

    def __init__(self, items: Iterable[Item], *, most: int) -> None:
        self._items = items
        self._most = most
        self._queue: queue.Queue[Item | _End] = queue.Queue(most)
        self._abandoned = False

    def __enter__(self) -> "Ahead[Item]":
        threading.Thread(target=self._run, name="distil-ahead", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._abandoned = True
        # The thread may be waiting for room.
        while not self._queue.empty():
            self._queue.get_nowait()

    def __iter__(self) -> Iterator[list[Item]]:
        while True:
            block: list[Item] = []
            item = self._wait()
            while not isinstance(item, _End):
                block.append(item)
                if len(block) == self._most or self._queue.empty():
                    break
                item = self._queue.get()
            if block:
                yield block
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return

    def _wait(self) -> Item | _End:
        """Wait for an item, or the end; who was let go while another thread waits gets the end."""
        while True:
            with contextlib.suppress(queue.Empty):
                return self._queue.get(timeout=_POLL_SECONDS)
            if self._abandoned:
                return _End(None)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                self._queue.put(item)
                if self._abandoned:
                    return
        except BaseException as raised:  # noqa: BLE001 - raised again where items are taken
            error = raised
        self._queue.put(_End(error))
