"""Estimate a run: count its rows and tokens, predict its time and memory.

The rows are read and tokenized in windows, as in a run, and the speed is measured on a few batches
of sequences drawn from them, on as many threads. So the peak memory of the estimate is that
expected of the run.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import TypeVar

import torch

from distilcli.engine.batching import Batch, Piece, cut_batches, pad
from distilcli.engine.engine import Engine
from distilcli.engine.task import Encoded
from distilcli.engine.workers import workers_on
from distilcli.errors import RowError
from distilcli.memory import peak_memory_bytes
from distilcli.stats import Reservoir

Item = TypeVar("Item")
Value = TypeVar("Value")

_BATCHES_PER_WORKER = 3
_SAMPLE_SIZE = 4096


@dataclass(slots=True)
class Estimate:
    """Counts of the whole input, and the expected seconds and bytes of a run."""

    rows: int = 0
    failed_rows: int = 0
    truncated_rows: int = 0
    sequences: int = 0
    tokens: int = 0
    expected_seconds: float = 0.0
    expected_peak_memory_bytes: int | None = None


def estimate(engine: Engine[Item, Value], items: Iterable[Item]) -> Estimate:
    """Count `items` in windows, then time a few batches of their sequences."""
    result = Estimate()
    sample: Reservoir[Piece] = Reservoir(capacity=_SAMPLE_SIZE)
    for window in windows(engine, items):
        encoded = engine.task.encode(window)
        _count(result, encoded)
        for row in encoded:
            for piece in row.pieces if isinstance(row, Encoded) else ():
                sample.add(piece)
    if sample.values:
        result.expected_seconds = result.tokens / _tokens_per_second(engine, sample.values)
    result.expected_peak_memory_bytes = peak_memory_bytes()
    return result


def windows(engine: Engine[Item, Value], items: Iterable[Item]) -> Iterator[list[Item]]:
    """Yield the items in windows, cut as the engine does."""
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


def _count(result: Estimate, encoded: Sequence[Encoded | RowError]) -> None:
    result.rows += len(encoded)
    for row in encoded:
        if isinstance(row, RowError):
            result.failed_rows += 1
            continue
        result.truncated_rows += row.truncated
        result.sequences += len(row.pieces)
        result.tokens += sum(len(piece) for piece in row.pieces)


def _tokens_per_second(engine: Engine[Item, Value], pieces: Sequence[Piece]) -> float:
    """Time batches cut as in a run, spread over the lengths of the sample."""
    workers = workers_on(*engine.devices, cores=engine.workers)
    cuts = cut_batches(
        [len(piece) for piece in pieces], max_tokens=engine.max_tokens, max_rows=engine.max_rows
    )
    batches = [
        pad(
            [pieces[index] for index in cut],
            pad_token_id=engine.pad_token_id,
            device=engine.devices[number % len(engine.devices)],
        )
        for number, cut in enumerate(_spread(list(cuts), workers * _BATCHES_PER_WORKER))
    ]

    def work(batch: Batch) -> None:
        torch.set_num_threads(1)
        with torch.inference_mode():
            engine.task.forward(batch)

    threads = torch.get_num_threads()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, batches[:workers]))  # warm-up: first calls allocate
        started = perf_counter()
        list(pool.map(work, batches))
        seconds = perf_counter() - started
    torch.set_num_threads(threads)
    return sum(len(piece) for batch in batches for piece in batch.pieces) / seconds


def _spread(cuts: list[list[int]], count: int) -> list[list[int]]:
    """Return `count` of the cuts, evenly spread from the longest pieces to the shortest."""
    return [cuts[index * len(cuts) // count] for index in range(count)]
