"""Times of batches: one alone, which is latency, and one after another, which is the rate."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from distilcli.benchmark.batch_runner import Carrier
from distilcli.benchmark.memory import Memory
from distilcli.engine.batching import Piece

_SETTLED = 1.1  # the longest of the last times by the shortest
_LAST = 3
_MOST_WARMING = 20
_LEAST_TIMINGS = 10
_JOBS_PER_WORKER = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Effort:
    """How long a setting is measured: `seconds` for latency and as many for the rate.

    They are spread over `rounds`, in which contenders take turns. There are at least ten timings,
    however long they take.
    """

    rounds: int = 5
    seconds: float = 3.0


@dataclass(frozen=True, slots=True)
class Round:
    """What one round found: seconds of single batches, and batches per second of many."""

    latencies: Sequence[float]
    batches_per_second: float


@dataclass(slots=True)
class Measured:
    """One setting of one model: the memory of its first batches, and its rounds."""

    memory: Memory = field(default_factory=Memory)
    rounds: list[Round] = field(default_factory=list)

    @property
    def latencies(self) -> list[float]:
        """The seconds of every batch that was carried alone."""
        return [seconds for each in self.rounds for seconds in each.latencies]

    @property
    def batches_per_second(self) -> float:
        """The median of the rounds."""
        return median(each.batches_per_second for each in self.rounds)


def warm_up(carrier: Carrier, pieces: list[Piece], *, seconds: float) -> int:
    """Carry a batch until its time settles, or for `seconds`; return how often that was."""
    times: list[float] = []
    while len(times) < _LAST or not (
        max(times[-_LAST:]) <= _SETTLED * min(times[-_LAST:])
        or len(times) >= _MOST_WARMING
        or sum(times) >= seconds
    ):
        times.append(carrier.carry(pieces))
    return len(times)


def measure_round(carrier: Carrier, pieces: list[Piece], effort: Effort) -> Round:
    """Measure one of the rounds of `effort`."""
    seconds = effort.seconds / effort.rounds
    least = math.ceil(_LEAST_TIMINGS / effort.rounds)
    times: list[float] = []
    while len(times) < least or sum(times) < seconds:
        times.append(carrier.carry(pieces))
    count = _enough(carrier, pieces, math.ceil(seconds / median(times)))
    return Round(times, count / carrier.carry(pieces, times=count))


def _enough(carrier: Carrier, pieces: list[Piece], count: int) -> int:
    """Return `count`, or more: so many batches that no worker runs dry long before the others."""
    workers = carrier.workers
    least = math.ceil(_JOBS_PER_WORKER * workers / carrier.count_batches(pieces))
    return math.ceil(max(count, least) / workers) * workers
