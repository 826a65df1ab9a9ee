import json

import pytest

from distilcli.benchmark.result import latency_of, median_interval
from tests.benchmark._made import measured, report, result, setting


def test_percentiles_are_times_that_were_measured() -> None:
    found, (low, high) = latency_of(measured(*(n / 1000 for n in range(100, 0, -1))))
    assert found == pytest.approx({"p50": 50, "p90": 90, "p95": 95, "p99": 99})
    assert 35 < low < 50.5 < high < 66


def test_the_interval_of_a_median_has_its_ends_among_the_values() -> None:
    assert median_interval([3.0]) == (3.0, 3.0)
    low, high = median_interval([1.0, 2.0, 9.0])
    assert (low, high) == (1.0, 9.0)


def test_rates_follow_from_batches_per_second() -> None:
    found = result(batches_per_second=50.0, batch=4, seq=128).record()
    assert found["sequences_per_second"] == 200
    assert found["tokens_per_second"] == 25_600
    assert found["gflops"] == 200
    assert found["ceiling_share"] == pytest.approx(0.1)


def test_the_best_are_of_the_model_itself() -> None:
    found = report(
        result(p50_ms=10, batches_per_second=100),
        result(p50_ms=9, batches_per_second=900, model="rival"),
        result(p50_ms=5, batches_per_second=300, batch=1),
        result(p50_ms=20, batches_per_second=90, batch=8),
    ).best()
    assert found["throughput"].setting == setting(batch=8)
    assert found["latency"].setting == setting(batch=1)


def test_a_report_is_plain_json() -> None:
    document = report(result()).as_dict()
    assert json.loads(json.dumps(document)) == document
    assert document["results"][0]["model"] == "tiny"
    assert document["environment"]["cpu_flags"] == ["avx2"]
