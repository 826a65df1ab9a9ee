from collections.abc import Iterator
from itertools import chain, repeat

import pytest

from distilcli.benchmark.measure import Effort, measure_round, warm_up
from distilcli.engine.batching import Piece

PIECES = [Piece([1])]


class Scripted:
    """A runner whose times are made up: single batches take `times`, many 1 ms each."""

    def __init__(self, times: Iterator[float], *, workers: int = 1, batches: int = 1) -> None:
        self.workers, self._times, self._batches = workers, times, batches
        self.sizes: list[int] = []

    def count_batches(self, pieces: list[Piece]) -> int:
        return self._batches

    def run(self, pieces: list[Piece], *, times: int = 1) -> float:
        self.sizes.append(times)
        return next(self._times) if times == 1 else times / 1000


def test_warming_up_ends_when_times_settle() -> None:
    runner = Scripted(iter([9.0, 3.0, 1.0, 1.0, 1.05, 1.0]))
    assert warm_up(runner, PIECES, seconds=100) == 5  # type: ignore[arg-type]


def test_warming_up_ends() -> None:
    restless = chain.from_iterable(repeat((0.001, 0.01)))
    assert warm_up(Scripted(restless), PIECES, seconds=100) == 20  # type: ignore[arg-type]
    slow = chain.from_iterable(repeat((10.0, 20.0)))
    assert warm_up(Scripted(slow), PIECES, seconds=1) == 3  # type: ignore[arg-type]


@pytest.mark.parametrize(("rounds", "least"), [(1, 10), (5, 2), (10, 1), (20, 1)])
def test_ten_timings_however_long_they_take(rounds: int, least: int) -> None:
    runner = Scripted(repeat(60.0))
    found = measure_round(runner, PIECES, Effort(rounds=rounds, seconds=0))  # type: ignore[arg-type]
    assert found.latencies == [60.0] * least


def test_more_timings_where_there_is_time() -> None:
    found = measure_round(Scripted(repeat(0.25)), PIECES, Effort(rounds=1, seconds=4))  # type: ignore[arg-type]
    assert found.latencies == [0.25] * 16
    assert found.batches_per_second == pytest.approx(1000)


@pytest.mark.parametrize(
    ("workers", "batches", "count"), [(1, 1, 4), (3, 1, 12), (4, 8, 4), (2, 3, 4), (1, 100, 2)]
)
def test_the_rate_is_of_enough_batches_for_all_workers(
    workers: int, batches: int, count: int
) -> None:
    runner = Scripted(repeat(1.0), workers=workers, batches=batches)
    measure_round(runner, PIECES, Effort(rounds=5, seconds=10))  # type: ignore[arg-type]
    assert runner.sizes[-1] == max(count, 2)
    assert runner.sizes[-1] % workers == 0
