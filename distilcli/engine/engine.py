"""The engine: rows go through a model in batches and come out in the same order.

    reader thread -> ReadAhead -> Feeder thread (encode, sort, cut) -> Workers (pad, forward)
                  -> the caller's thread (decode, in input order)

Rows travel in windows. The caller's thread opens a new window whenever it takes a finished one, so
the windows in flight, one more than workers, bound the memory of a run whatever the length of the
input, and no worker idles between windows.

A row's outputs are the same in any batch and window and on any number of threads, up to rounding:
kernels sum in another order for other shapes and threads. If the engine is `deterministic`, they
are the same to the bit.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import KW_ONLY, dataclass
from typing import Any, Generic

import torch

from distilcli.engine.feeder import Feeder
from distilcli.engine.task import Encoded, Item, Task, Value
from distilcli.engine.window import Window
from distilcli.engine.workers import Workers, workers_on
from distilcli.errors import RowError
from distilcli.model.device import names_of
from distilcli.model.threads import single_threaded
from distilcli.rows.outcome import OnError, Outcome, settle
from distilcli.rows.prefetch import ReadAhead
from distilcli.stats import RunStats

__all__ = ["Engine", "OnError"]


@dataclass(frozen=True, slots=True)
class Engine(Generic[Item, Value]):
    """How rows are run; it holds settings only, so it serves any number of runs.

    A batch has at most `max_tokens` positions, padding included, and `max_rows` pieces (None: no
    limit), and runs on the first of the `devices` that is free. A window has at most `window_rows`
    rows, or `window_size` characters plus one row. `workers` applies to the CPU; see `workers_on`.
    `deterministic` runs each sequence by itself, on one thread. `on_end` is called, on a thread of
    the engine, once the last row is encoded; an exception from it ends the run like one from the
    task. Until the task `is_settled` on its model, rows of a file wait, a window's worth at most.
    """

    task: Task[Item, Any, Any, Value]
    _: KW_ONLY
    pad_token_id: int
    devices: Sequence[torch.device]
    workers: int = 1
    max_tokens: int = 512
    max_rows: int | None = None
    window_rows: int = 4096
    window_size: int = 262_144
    on_error: OnError = "keep"
    deterministic: bool = False
    on_end: Callable[[], None] = lambda: None
    is_settled: Callable[[], bool] = lambda: True

    def __post_init__(self) -> None:
        for name in ("workers", "max_tokens", "max_rows", "window_rows", "window_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")

    def run(
        self,
        items: Iterable[Item],
        *,
        stats: RunStats | None = None,
        live: bool = False,
        begins: Callable[[Item], bool] = lambda _: False,
        is_part: Callable[[], bool] = lambda: False,
    ) -> Generator[list[Outcome[Item, Value]], None, None]:
        """Yield the outcomes of the items, in order, in non-empty blocks.

        A block comes as soon as its rows are done. Items are read ahead, a full window at a time,
        unless they are `live`: then items that have arrived do not wait for others. An item that
        `begins` a block does not share a window with those before it, and `is_part` says, once
        the items have ended, whether there are others in another run. A failed row is
        kept with its error, skipped or, with `on_error="stop"`, raised as RowError after all rows
        before it. Other exceptions of `items` or the task come through unchanged, after the windows
        before them. Raises ResourceError if a single sequence does not fit in memory.

        Close the generator (`contextlib.closing`) when leaving early, to end its threads.
        """
        stats = RunStats(device=names_of(self.devices)) if stats is None else stats
        count = workers_on(*self.devices, cores=self.workers)
        workers = Workers(
            self.task.forward,
            count=count,
            devices=self.devices,
            pad_token_id=self.pad_token_id,
            max_tokens=self.max_tokens,
            stats=stats,
            one_by_one=self.deterministic,
        )
        read_ahead = ReadAhead(
            items,
            size=self.task.size,
            max_rows=self.window_rows,
            max_size=self.window_size,
            live=live,
            begins=begins,
        )
        feeder = Feeder(
            task=self.task,
            read_ahead=read_ahead,
            workers=workers,
            max_rows=self.max_rows,
            window_rows=self.window_rows,
            stop_at_fault=self.on_error == "stop",
            on_end=self.on_end,
            is_settled=self.is_settled,
            is_part=is_part,
            stats=stats,
        )
        stats.start()
        try:
            for part in (workers, read_ahead, feeder):
                part.start()
            for window in _finished_windows(feeder, workers, in_flight=count + 1):
                stats.add_window(
                    tokens=window.tokens, positions=window.positions, batches=window.batches
                )
                outcomes = self.outcomes(window)
                yield from settle(outcomes, on_error=self.on_error, stats=stats)
        finally:
            for part in (workers, read_ahead, feeder):
                part.close()
            stats.finish()

    def outcomes(self, window: Window[Item]) -> list[Outcome[Item, Value]]:
        """Return what became of the rows of a finished window, in order."""
        with single_threaded() if self.deterministic else nullcontext():
            return [self._outcome(*row) for row in window.rows()]

    def _outcome(
        self, item: Item, row: Encoded | RowError, outputs: list[object]
    ) -> Outcome[Item, Value]:
        if isinstance(row, RowError):
            return Outcome(item, error=str(row))
        try:
            value = self.task.decode(item, row, outputs)
        except RowError as error:
            return Outcome(item, error=str(error))
        return Outcome(item, value=value, truncated=row.truncated)


def _finished_windows(
    feeder: Feeder[Item], workers: Workers, *, in_flight: int
) -> Iterator[Window[Item]]:
    """Yield finished windows in order, and open a new one for each."""
    windows = deque(feeder.open_window() for _ in range(in_flight))
    while True:
        window = windows.popleft()
        workers.finish(window)
        if window.failure is not None:
            raise window.failure
        if not window.items:
            return
        windows.append(feeder.open_window())
        yield window
