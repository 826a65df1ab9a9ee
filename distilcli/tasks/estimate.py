"""What a run would take: its rows and tokens counted, its time and memory expected.

Nothing is run on the rows: they are read and tokenized, window by window as in a run, and the
rate is taken from a few batches of made-up ids of the rows' mean length on as many threads. So
the memory that this took by its peak is what is expected of a run.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any, TypeVar

import torch

from distilcli.engine.batching import Piece, pad
from distilcli.engine.engine import Engine
from distilcli.errors import RowError
from distilcli.stats import peak_memory_bytes

Item = TypeVar("Item")

_BATCHES_PER_WORKER = 3


@dataclass(slots=True)
class Estimate:
    """Counts of the whole input, and the seconds and bytes that a run is expected to take."""

    rows: int = 0
    failed_rows: int = 0
    truncated_rows: int = 0
    sequences: int = 0
    tokens: int = 0
    expected_seconds: float = 0.0
    expected_peak_memory_bytes: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain JSON values."""
        return asdict(self)


def estimate(engine: Engine[Item, Any], items: Iterable[Item]) -> Estimate:
    """Count `items` in windows, then time a few batches like theirs."""
    result = Estimate()
    for window in _windows(engine, items):
        _count(result, engine.task.encode(window))
    if result.sequences:
        mean_length = max(1, round(result.tokens / result.sequences))
        result.expected_seconds = result.tokens / _tokens_per_second(engine, mean_length)
    result.expected_peak_memory_bytes = peak_memory_bytes()
    return result


def _windows(engine: Engine[Item, Any], items: Iterable[Item]) -> Iterator[list[Item]]:
    """Cut the input where the engine would: a window has so many rows, or so many characters."""
    window: list[Item] = []
    size = 0
    for item in items:
        window.append(item)
        size += engine.task.size(item)
        if len(window) >= engine.window_rows or size >= engine.window_size:
            yield window
            window, size = [], 0
    if window:
        yield window


def _count(result: Estimate, encoded: Sequence[Any]) -> None:
    result.rows += len(encoded)
    for row in encoded:
        if isinstance(row, RowError):
            result.failed_rows += 1
            continue
        result.truncated_rows += row.truncated
        result.sequences += len(row.pieces)
        result.tokens += sum(len(piece) for piece in row.pieces)


def _tokens_per_second(engine: Engine[Any, Any], length: int) -> float:
    workers = engine.workers if engine.device.type == "cpu" else 1
    rows = max(1, min(engine.max_tokens // length, engine.max_rows or engine.max_tokens))
    pieces = [Piece([engine.pad_token_id] * length)] * rows
    batch = pad(pieces, pad_token_id=engine.pad_token_id, device=engine.device)

    def work(_: int) -> None:
        torch.set_num_threads(1)
        with torch.inference_mode():
            for _ in range(_BATCHES_PER_WORKER):
                engine.task.forward(batch)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))  # first calls allocate; they are not timed
        started = perf_counter()
        list(pool.map(work, range(workers)))
        seconds = perf_counter() - started
    return workers * _BATCHES_PER_WORKER * rows * length / seconds
