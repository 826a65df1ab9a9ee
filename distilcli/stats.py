"""What a run did and what it cost: rows, tokens, time per batch, memory.

One `RunStats` goes with a run from the first row to the summary. Worker threads add to it while
the caller polls it for a progress line, so every count is kept under one lock. Its size does not
grow with the run.
"""

import math
import random
import threading
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from distilcli.memory import peak_memory_bytes

_PERCENTILES = (50, 95, 99)


class RunStats:
    """Counts of one run, safe to add to from any thread and to read at any time.

    `rows` counts every row that is done, failed ones included; `skipped` are those of the
    `failed` that were left out of the output. `tokens` are real ids that the model has seen, of
    the `encoded_tokens` that wait or are done; `positions` is what it computed, padding included
    (B x T of every batch). `load_seconds` is for the caller to
    set once the model is loaded; it is not part of `seconds`.
    """

    def __init__(self, *, device: str = "cpu", load_seconds: float | None = None) -> None:
        self.device = device
        self.load_seconds = load_seconds
        self.rows = 0
        self.failed = 0
        self.skipped = 0
        self.truncated = 0
        self.first_error: str | None = None
        self.tokens = 0
        self.encoded_tokens = 0
        self.positions = 0
        self.batches = 0
        self.halvings = 0
        self.started_at: datetime | None = None
        self.finished_at: datetime | None = None
        self._began = 0.0
        self._ended: float | None = None
        self._latencies = Reservoir()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the clock; a run that goes on after `finish` keeps its first start."""
        with self._lock:
            if self.started_at is None:
                self.started_at = datetime.now(timezone.utc)
                self._began = time.perf_counter()
            self.finished_at = self._ended = None

    def finish(self) -> None:
        """Stop the clock: `seconds` and the rates hold still from here on."""
        with self._lock:
            self.finished_at = datetime.now(timezone.utc)
            self._ended = time.perf_counter()

    def add_rows(self, rows: int, *, failed: int = 0, skipped: int = 0, truncated: int = 0) -> None:
        """Count rows that are done, and how many of them failed, were left out, were cut short."""
        with self._lock:
            self.rows += rows
            self.failed += failed
            self.skipped += skipped
            self.truncated += truncated

    def note_error(self, error: str) -> None:
        """Keep the first error of a row, to be shown with the counts."""
        with self._lock:
            if self.first_error is None:
                self.first_error = error

    def add_encoded(self, tokens: int) -> None:
        """Count tokens that are on their way to the model."""
        with self._lock:
            self.encoded_tokens += tokens

    def add_batch(self, *, tokens: int, positions: int, seconds: float) -> None:
        """Count one batch: its real ids, its ids with padding, and how long it took."""
        with self._lock:
            self.batches += 1
            self.tokens += tokens
            self.positions += positions
            self._latencies.add(seconds)

    def add_halving(self) -> None:
        """Count one batch that did not fit in memory and was cut in two."""
        with self._lock:
            self.halvings += 1

    @property
    def seconds(self) -> float:
        """Wall time from `start` to `finish`, or to now while the run goes on."""
        if self.started_at is None:
            return 0.0
        return (time.perf_counter() if self._ended is None else self._ended) - self._began

    @property
    def rows_per_second(self) -> float:
        """Rows done per second of wall time."""
        return _ratio(self.rows, self.seconds)

    @property
    def tokens_per_second(self) -> float:
        """Real tokens, padding not counted, per second of wall time."""
        return _ratio(self.tokens, self.seconds)

    @property
    def padding_share(self) -> float:
        """The part of the computed positions that was padding, 0 to 1."""
        return _ratio(self.positions - self.tokens, self.positions)

    @property
    def done_share(self) -> float:
        """The part, 0 to 1, of what was encoded that the model is done with."""
        return _ratio(self.tokens, self.encoded_tokens)

    @property
    def latency_ms(self) -> dict[str, float | None]:
        """Milliseconds per batch at p50, p95 and p99; None before the first batch."""
        with self._lock:
            seconds = sorted(self._latencies.values)
        return {
            f"p{percent}": percentile(seconds, percent) * 1000 if seconds else None
            for percent in _PERCENTILES
        }

    def as_dict(self) -> dict[str, Any]:
        """Give all figures as plain JSON values; the keys are part of the command's contract."""
        return {
            "device": self.device,
            "started_at": _iso(self.started_at),
            "finished_at": _iso(self.finished_at),
            "load_seconds": self.load_seconds,
            "seconds": self.seconds,
            "rows": self.rows,
            "failed_rows": self.failed,
            "skipped_rows": self.skipped,
            "truncated_rows": self.truncated,
            "first_error": self.first_error,
            "tokens": self.tokens,
            "padding_tokens": self.positions - self.tokens,
            "padding_share": self.padding_share,
            "batches": self.batches,
            "batch_halvings": self.halvings,
            "rows_per_second": self.rows_per_second,
            "tokens_per_second": self.tokens_per_second,
            "latency_ms": self.latency_ms,
            "peak_memory_bytes": peak_memory_bytes(),
        }


class Reservoir:
    """A sample of a stream in bounded memory: all of it up to `capacity`, then a uniform draw.

    The draw (Vitter's algorithm R) is seeded, so that the same stream gives the same sample.
    """

    def __init__(self, *, capacity: int = 8192, seed: int = 0) -> None:
        self.values: list[float] = []
        self._capacity = capacity
        self._seen = 0
        self._random = random.Random(seed)

    def add(self, value: float) -> None:
        """Take one value of the stream into account."""
        self._seen += 1
        if len(self.values) < self._capacity:
            self.values.append(value)
        elif (place := self._random.randrange(self._seen)) < self._capacity:
            self.values[place] = value


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Give the nearest-rank percentile of ascending values: always one that was observed."""
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")
