"""Statistics of a run: rows, tokens, time per batch, memory.

One `RunStats` accompanies a run from the first row to the summary. Worker threads add to it while
the caller polls it for a progress line, so every count is kept under one lock. Its size does not
grow with the run.
"""

import math
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Generic, TypeVar

from distilcli.memory import peak_memory_bytes

T = TypeVar("T")

_PERCENTILES = (50, 95, 99)
_RESTORED = (*("rows", "failed", "skipped", "abstained", "truncated", "first_error", "halvings"),)
_OF_WINDOWS = ("tokens", "positions", "batches")


class RunStats:
    """Counts of one run; any thread may add to them or read them at any time.

    `rows` counts every finished row, failed ones included; `skipped` are the failed rows that were
    left out of the output, and `abstained` those without an answer that is sure enough. `tokens`
    are those that the model has read, out of `encoded_tokens`; `positions` includes padding (B x T
    of every batch). `resumed_rows` are those that an earlier, interrupted run did; all counts and
    `seconds` include them. The caller sets `load_seconds` once the model is loaded; it is not part
    of `seconds`.
    """

    def __init__(self, *, device: str = "cpu", load_seconds: float | None = None) -> None:
        self.device = device
        self.load_seconds = load_seconds
        self.rows = 0
        self.failed = 0
        self.skipped = 0
        self.truncated = 0
        self.abstained = 0
        self.first_error: str | None = None
        self.tokens = 0
        self.encoded_tokens = 0
        self.positions = 0
        self.batches = 0
        self.halvings = 0
        self.resumed_rows = 0
        self._finished: Counter[str] = Counter()  # of the windows whose rows are done
        self._earlier_seconds = 0.0
        self.started_at: datetime | None = None
        self.finished_at: datetime | None = None
        self._began = 0.0
        self._ended: float | None = None
        self._latencies: Reservoir[float] = Reservoir()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the clock; a run that continues after `finish` keeps its first start."""
        with self._lock:
            if self.started_at is None:
                self.started_at = datetime.now(timezone.utc)
            if not self._began:
                self._began = time.perf_counter()
            self.finished_at = self._ended = None

    def finish(self) -> None:
        """Stop the clock, and so `seconds` and the rates."""
        with self._lock:
            self.finished_at = datetime.now(timezone.utc)
            self._ended = time.perf_counter()

    def add_rows(
        self,
        rows: int,
        *,
        failed: int = 0,
        skipped: int = 0,
        truncated: int = 0,
        abstained: int = 0,
    ) -> None:
        """Count finished rows, and how many of them are one of the others."""
        with self._lock:
            self.rows += rows
            self.failed += failed
            self.skipped += skipped
            self.truncated += truncated
            self.abstained += abstained

    def note_error(self, error: str) -> None:
        """Keep the first error of a row, to show with the counts."""
        with self._lock:
            if self.first_error is None:
                self.first_error = error

    def add_encoded(self, tokens: int) -> None:
        """Count tokens on their way to the model."""
        with self._lock:
            self.encoded_tokens += tokens

    def add_batch(self, *, tokens: int, positions: int, seconds: float) -> None:
        """Count one batch: its tokens, its positions with padding, and its time."""
        with self._lock:
            self.batches += 1
            self.tokens += tokens
            self.positions += positions
            self._latencies.add(seconds)

    def add_window(self, *, tokens: int, positions: int, batches: int) -> None:
        """Count what the model has done for a window whose rows are done; see `progress`."""
        self._finished.update(tokens=tokens, positions=positions, batches=batches)

    def progress(self) -> dict[str, Any]:
        """Return the counts of the finished rows, for `restore` in a run that continues."""
        with self._lock:
            counts = {name: getattr(self, name) for name in _RESTORED}
            windows = {name: self._finished[name] for name in _OF_WINDOWS}
        return {**counts, **windows, "seconds": self.seconds, "since": _iso(self.started_at)}

    def restore(self, progress: Mapping[str, Any]) -> None:
        """Continue the counts of an interrupted run."""
        for name in (*_RESTORED, *_OF_WINDOWS):
            setattr(self, name, progress[name])
        self._finished.update({name: progress[name] for name in _OF_WINDOWS})
        self.resumed_rows = self.rows
        self.encoded_tokens = self.tokens
        self.started_at = datetime.fromisoformat(progress["since"])
        self._earlier_seconds = progress["seconds"]

    def absorb(self, progress: Mapping[str, Any]) -> None:
        """Add what `progress` returned of a part of the run; take parts in their order."""
        for name in (*_RESTORED, *_OF_WINDOWS):
            if name != "first_error":
                setattr(self, name, getattr(self, name) + progress[name])
        self.first_error = self.first_error or progress["first_error"]
        self.encoded_tokens = self.tokens

    def took(self, seconds: float) -> None:
        """Set how long a run took that ended now and was not timed here."""
        self.finished_at = datetime.now(timezone.utc)
        self.started_at = self.finished_at - timedelta(seconds=seconds)
        self._earlier_seconds = seconds

    def add_halving(self) -> None:
        """Count one batch that did not fit in memory and was halved."""
        with self._lock:
            self.halvings += 1

    @property
    def seconds(self) -> float:
        """Wall time from `start` to `finish`, or to now during the run; see `resumed_rows`."""
        if not self._began:
            return self._earlier_seconds
        now = time.perf_counter() if self._ended is None else self._ended
        return self._earlier_seconds + now - self._began

    @property
    def rows_per_second(self) -> float:
        """Rows per second of wall time."""
        return _ratio(self.rows, self.seconds)

    @property
    def tokens_per_second(self) -> float:
        """Tokens, without padding, per second of wall time."""
        return _ratio(self.tokens, self.seconds)

    @property
    def padding_share(self) -> float:
        """The share of computed positions that was padding, 0 to 1."""
        return _ratio(self.positions - self.tokens, self.positions)

    @property
    def done_share(self) -> float:
        """The share of encoded tokens that the model has read, 0 to 1."""
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
        """Return the statistics as plain JSON values; the keys are part of the contract."""
        return {
            "device": self.device,
            "started_at": _iso(self.started_at),
            "finished_at": _iso(self.finished_at),
            "load_seconds": self.load_seconds,
            "seconds": self.seconds,
            "rows": self.rows,
            "failed_rows": self.failed,
            "skipped_rows": self.skipped,
            **({"resumed_rows": self.resumed_rows} if self.resumed_rows else {}),
            **({"abstained_rows": self.abstained} if self.abstained else {}),
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


class Reservoir(Generic[T]):
    """A uniform sample of at most `capacity` values of a stream (Vitter's algorithm R).

    It is seeded, so that the same stream gives the same sample.
    """

    def __init__(self, *, capacity: int = 8192, seed: int = 0) -> None:
        self.values: list[T] = []
        self._capacity = capacity
        self._seen = 0
        self._random = random.Random(seed)

    def add(self, value: T) -> None:
        """Add one value of the stream."""
        self._seen += 1
        if len(self.values) < self._capacity:
            self.values.append(value)
        elif (index := self._random.randrange(self._seen)) < self._capacity:
            self.values[index] = value


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile of ascending values: always one of them."""
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")
