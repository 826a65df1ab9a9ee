"""The seconds that a run over rows spends in each stage; stages run side by side."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import perf_counter
from typing import Generic, ParamSpec, TypeVar

from distilcli.engine.batching import Batch
from distilcli.engine.task import Coded, Item, Output, Task, Value
from distilcli.errors import RowError
from distilcli.rows.outcome import Sink
from distilcli.rows.row_writer import Block

Given = ParamSpec("Given")
Result = TypeVar("Result")

STAGES = ("reading", "tokenizing", "model", "decoding", "writing")


class Stages:
    """Seconds by stage, summed over threads."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._lock = threading.Lock()

    def timed(
        self, stage: str, function: Callable[Given, Result],
        *args: Given.args, **named: Given.kwargs,
    ) -> Result:  # fmt: skip
        """Call a function and add its time to `stage`."""
        started = perf_counter()
        try:
            return function(*args, **named)
        finally:
            with self._lock:
                self.seconds[stage] += perf_counter() - started


_END = object()


class TimedRows(Generic[Item]):
    """Rows with timed reading."""

    def __init__(self, rows: Iterable[Item], stages: Stages) -> None:
        self._rows, self._stages = rows, stages

    def __iter__(self) -> Iterator[Item]:
        rows = iter(self._rows)
        while (row := self._stages.timed("reading", next, rows, _END)) is not _END:
            yield row  # type: ignore[misc]


class TimedTask(Generic[Item, Coded, Output, Value]):
    """A task with timed parts; see `engine.task.Task`."""

    def __init__(self, task: Task[Item, Coded, Output, Value], stages: Stages) -> None:
        self._task, self._stages = task, stages
        self.size = task.size

    def encode(self, items: Sequence[Item]) -> Sequence[Coded | RowError]:
        """Tokenize a window."""
        return self._stages.timed("tokenizing", self._task.encode, items)

    def forward(self, batch: Batch) -> Sequence[Output]:
        """Run the model; its outputs are on the host, so the device is done."""
        return self._stages.timed("model", self._task.forward, batch)

    def decode(self, item: Item, encoded: Coded, outputs: Sequence[Output]) -> Value:
        """Turn outputs into a value."""
        return self._stages.timed("decoding", self._task.decode, item, encoded, outputs)


class TimedSink:
    """A sink with timed writing."""

    def __init__(self, sink: Sink, stages: Stages) -> None:
        self._sink, self._stages = sink, stages

    def write_rows(self, block: Block) -> None:
        """Write a block of rows."""
        self._stages.timed("writing", self._sink.write_rows, block)
