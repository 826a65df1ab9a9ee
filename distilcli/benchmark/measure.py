"""Timings of batches: run alone for latency, many at once for the rate."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from distilcli.benchmark.batch_runner import BatchRunner
from distilcli.benchmark.memory import Memory
from distilcli.engine.batching import Piece

_SETTLED = 1.1  # slowest / fastest of the last timings
_LAST = 3
_MAX_WARMING = 20
_MIN_TIMINGS = 10
_JOBS_PER_WORKER = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Effort:
    """How long a setting is measured: `seconds` for latency and the same for the rate.

    They are spread over `rounds`, in which the models alternate. There are at least ten timings,
    even if they take longer.
    """

    rounds: int = 5
    seconds: float = 3.0


@dataclass(frozen=True, slots=True)
class Round:
    """One round: the seconds of batches run alone, and the rate of many at once."""

    latencies: Sequence[float]
    batches_per_second: float


@dataclass(slots=True)
class Measured:
    """One setting of one model: the memory of its first batches, and its rounds."""

    memory: Memory = field(default_factory=Memory)
    rounds: list[Round] = field(default_factory=list)

    @property
    def latencies(self) -> list[float]:
        """The seconds of every batch that was run alone."""
        return [seconds for each in self.rounds for seconds in each.latencies]

    @property
    def batches_per_second(self) -> float:
        """The median of the rounds."""
        return median(each.batches_per_second for each in self.rounds)


def warm_up(runner: BatchRunner, pieces: list[Piece], *, seconds: float) -> int:
    """Run a batch until its time settles, or for `seconds`; return how often."""
    times: list[float] = []
    while len(times) < _LAST or not (
        max(times[-_LAST:]) <= _SETTLED * min(times[-_LAST:])
        or len(times) >= _MAX_WARMING
        or sum(times) >= seconds
    ):
        times.append(runner.run(pieces))
    return len(times)


def measure_round(runner: BatchRunner, pieces: list[Piece], effort: Effort) -> Round:
    """Measure one of the rounds of `effort`."""
    seconds = effort.seconds / effort.rounds
    least = math.ceil(_MIN_TIMINGS / effort.rounds)
    times: list[float] = []
    while len(times) < least or sum(times) < seconds:
        times.append(runner.run(pieces))
    # As many windows as take that time, or more if workers would be idle for long at the end.
    workers = runner.workers
    busy = _JOBS_PER_WORKER * workers / runner.count_batches(pieces)
    windows = math.ceil(max(seconds / median(times), busy) / workers) * workers
    return Round(times, windows / runner.run(pieces, times=windows))
