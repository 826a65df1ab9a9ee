import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli import stats as stats_module
from distilcli.stats import Reservoir, RunStats, peak_memory_bytes, percentile


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until the test moves it."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(stats_module.time, "perf_counter", lambda: Clock.now)
    return Clock


def test_rates_are_per_second_of_the_run(clock):
    stats = RunStats()
    assert stats.seconds == stats.rows_per_second == 0
    stats.start()
    stats.add_rows(10, failed=3, skipped=2, truncated=1)
    stats.add_batch(tokens=90, positions=120, seconds=0.5)
    clock.now += 2
    assert stats.rows_per_second == 5
    assert stats.tokens_per_second == 45
    assert stats.padding_share == 0.25
    stats.finish()
    clock.now += 50
    assert stats.seconds == 2


def test_a_second_run_adds_to_the_first(clock):
    stats = RunStats()
    for _ in range(2):
        stats.start()
        clock.now += 1
        stats.finish()
        clock.now += 3
    assert stats.seconds == 5
    stats.start()
    assert stats.finished_at is None


def test_as_dict_is_json_with_units_in_its_keys(clock):
    stats = RunStats(device="cuda:0", load_seconds=1.5)
    stats.start()
    stats.add_rows(4, failed=2, skipped=1, truncated=1, abstained=1)
    stats.add_batch(tokens=6, positions=8, seconds=0.25)
    stats.add_halving()
    stats.note_error("a.csv: line 2: bad")
    stats.note_error("a.csv: line 3: worse")
    clock.now += 2
    stats.finish()

    figures = json.loads(json.dumps(stats.as_dict()))
    assert figures.pop("started_at").endswith("+00:00")
    assert figures.pop("finished_at").endswith("+00:00")
    assert figures.pop("peak_memory_bytes") == pytest.approx(peak_memory_bytes(), rel=0.1)
    assert figures == {
        "device": "cuda:0",
        "load_seconds": 1.5,
        "seconds": 2.0,
        "rows": 4,
        "failed_rows": 2,
        "skipped_rows": 1,
        "abstained_rows": 1,
        "truncated_rows": 1,
        "first_error": "a.csv: line 2: bad",
        "tokens": 6,
        "padding_tokens": 2,
        "padding_share": 0.25,
        "batches": 1,
        "batch_halvings": 1,
        "rows_per_second": 2.0,
        "tokens_per_second": 3.0,
        "latency_ms": {"p50": 250.0, "p95": 250.0, "p99": 250.0},
    }


def test_a_run_that_did_nothing_has_the_same_keys():
    figures = RunStats().as_dict()
    assert figures.keys() == {**figures, **RunStats(device="mps").as_dict()}.keys()
    assert figures["latency_ms"] == {"p50": None, "p95": None, "p99": None}
    assert figures["padding_share"] == figures["rows_per_second"] == 0


def test_latency_percentiles_are_exact_for_thousands_of_batches():
    stats = RunStats()
    for milliseconds in reversed(range(1, 5001)):
        stats.add_batch(tokens=1, positions=1, seconds=milliseconds / 1000)
    assert stats.latency_ms == pytest.approx({"p50": 2500, "p95": 4750, "p99": 4950})


@given(values=st.lists(st.integers(), min_size=1), percent=st.floats(0, 100))
def test_a_percentile_is_an_observed_value_with_enough_at_or_below_it(values, percent):
    ordered = sorted(values)
    value = percentile(ordered, percent)
    assert value in ordered
    assert sum(other <= value for other in ordered) >= percent / 100 * len(ordered) - 1e-9
    assert sum(other < value for other in ordered) <= percent / 100 * len(ordered)


def test_a_reservoir_is_bounded_repeatable_and_fair():
    first, second = Reservoir(capacity=1000), Reservoir(capacity=1000)
    for number in range(20_000):
        first.add(number)
        second.add(number)
    assert first.values == second.values
    assert len(first.values) == 1000
    assert sum(first.values) / 1000 == pytest.approx(10_000, rel=0.1)


def test_counts_from_many_threads_add_up():
    stats = RunStats()

    def work():
        for _ in range(500):
            stats.add_rows(1)
            stats.add_batch(tokens=2, positions=3, seconds=0.001)
            stats.add_halving()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (stats.rows, stats.batches, stats.halvings) == (2000, 2000, 2000)
    assert (stats.tokens, stats.positions) == (4000, 6000)


def test_peak_memory_sees_what_is_held():
    before = peak_memory_bytes()
    held = b"x" * (64 << 20)
    after = peak_memory_bytes()
    del held
    assert before is not None
    assert after is not None
    assert after > 64 << 20
    assert after >= before
