import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.benchmark.forecast import (
    Fleet,
    Forecast,
    Process,
    StageCosts,
    Way,
    forecast,
    rate_of,
    time_of,
)
from distilcli.errors import UsageError

# 1,000 rows: 10 µs for reading, 100 for tokenizing, 20 ms of one core for the model, 5 and 15.
COSTS = StageCosts(
    rows=1000,
    seconds={
        "reading": 0.01,
        "tokenizing": 0.1,
        "model": 10.0,
        "decoding": 0.005,
        "writing": 0.015,
    },
    cores=2,
    gpus=0,
    bytes_read=100_000,
    bytes_written=120_000,
    is_whole=True,
)
OF_A_ROW = 0.02013
PROCESS = Process(
    precision="fp32", seconds_to_load=2, rows_per_second=99, peak_bytes=500, worker_bytes=50
)


def planned(costs: StageCosts = COSTS, process: Process = PROCESS, **fleet: object) -> Forecast:
    chosen = Fleet(**{"rows": 1_000_000, **fleet})  # type: ignore[arg-type]
    return forecast(chosen, costs, process)


def ways(**more: object) -> dict[str, Way]:
    return {way.way: way for way in planned(**more).ways}  # type: ignore[arg-type]


def test_cores_bound_a_slow_model() -> None:
    found = planned(cores=64)
    one, shards, ray = found.ways
    assert (one.processes, one.cores, shards.processes, shards.cores) == (1, 64, 32, 2)
    for way in (one, shards, ray):
        assert way.rows_per_second == pytest.approx(64 / OF_A_ROW)
        assert way.limited_by == "model"
        assert way.seconds == pytest.approx(1e6 * OF_A_ROW / 64 + 2)
    assert one.arithmetic == "64 cores / 20.1 ms = 3,179 rows/s"
    assert shards.arithmetic == "32 x (2 cores / 20.1 ms = 99.4 rows/s) = 3,179 rows/s"


def test_one_process_is_bound_by_its_threads_and_shards_are_not() -> None:
    found = ways(cores=4000)
    assert found["one process"].rows_per_second == pytest.approx(10_000)
    assert found["one process"].limited_by == "tokenizing"
    assert found["one process"].arithmetic == "1 thread of tokenizing / 100 µs = 10,000 rows/s"
    assert found["shards"].rows_per_second == pytest.approx(4000 / OF_A_ROW)
    assert found["Ray"].limited_by == "model"
    slow_writing = replace(COSTS, seconds={**COSTS.seconds, "writing": 0.2})
    one = ways(costs=slow_writing, cores=4000)["one process"]
    assert (one.limited_by, one.rows_per_second) == ("writing", pytest.approx(1000 / 0.215))


def test_what_was_measured_is_the_default_and_is_checked_against_the_whole_run() -> None:
    found = planned()
    assert (found.cores, found.gpus, found.measured_here) == (2, 0, 99)
    assert found.expected_here.rows_per_second == pytest.approx(2 / OF_A_ROW)
    assert {way.processes for way in found.ways} == {1}


def test_memory_grows_with_workers_and_processes() -> None:
    found = ways(cores=64)
    assert found["one process"].memory_bytes == 500 + 62 * 50
    assert found["shards"].memory_bytes == found["Ray"].memory_bytes == 32 * 500
    unknown = ways(cores=64, process=replace(PROCESS, worker_bytes=None))
    assert unknown["one process"].memory_bytes is None
    assert unknown["shards"].memory_bytes == 32 * 500
    fewer = ways(cores=1)
    assert fewer["shards"].memory_bytes == 450


def test_merging_shards_copies_the_output() -> None:
    found = ways()
    one, shards = found["one process"], found["shards"]
    assert (one.bytes_read, one.bytes_written) == (100_000_000, 120_000_000)
    assert (shards.bytes_read, shards.bytes_written) == (220_000_000, 240_000_000)


def test_cost_is_of_all_cores_and_gpus_for_the_whole_time() -> None:
    (one, *_) = planned(cores=64, price_core_hour=0.05).ways
    assert one.cost == pytest.approx(one.seconds / 3600 * 64 * 0.05)
    gpus = {"gpus": 4, "gpu_rows_per_second": 500.0, "price_gpu_hour": 2.0}
    (one, *_) = planned(cores=64, price_core_hour=0.05, **gpus).ways
    assert one.cost == pytest.approx(one.seconds / 3600 * (64 * 0.05 + 4 * 2))
    assert planned().ways[0].cost is None


def test_a_given_rate_of_gpus() -> None:
    found = ways(cores=16, gpus=4, gpu_rows_per_second=500.0)
    assert {(way.processes, way.cores, way.gpus) for way in found.values()} == {
        (1, 16, 4),
        (4, 4, 1),
    }
    assert found["one process"].rows_per_second == pytest.approx(2000)
    assert found["shards"].arithmetic == "4 x (1 GPU / 2.00 ms = 500 rows/s) = 2,000 rows/s"
    # Many GPUs wait for the one thread that tokenizes, unless each has a process of its own.
    many = ways(cores=400, gpus=40, gpu_rows_per_second=500.0)
    assert many["one process"].limited_by == "tokenizing"
    assert many["shards"].rows_per_second == pytest.approx(20_000)
    assert many["one process"].memory_bytes == 500


def test_a_measured_gpu_is_the_model_s_unit() -> None:
    measured = replace(COSTS, cores=2, gpus=1, seconds={**COSTS.seconds, "model": 1.0})
    found = planned(costs=measured, cores=8)
    assert found.gpus == 1
    assert found.expected_here.rows_per_second == pytest.approx(1000)
    assert found.ways[0].limited_by == "model"
    assert planned(costs=measured, cores=8, gpus=4).ways[0].rows_per_second == pytest.approx(4000)
    two = replace(measured, gpus=2)
    assert planned(costs=two, cores=8, gpus=4).ways[0].rows_per_second == pytest.approx(2000)


def test_assumptions_are_named_where_they_are_made() -> None:
    def assumed(**more: object) -> str:
        return "\n".join(planned(**more).assumed)  # type: ignore[arg-type]

    assert "in proportion to the cores; 2 were measured" in assumed(cores=64)
    assert "in proportion" not in assumed(cores=2)
    given = assumed(cores=8, gpus=4, gpu_rows_per_second=500.0)
    assert "given rate of a GPU" in given
    assert "in proportion to the GPUs" in given
    assert "to the cores" not in given


def test_json() -> None:
    found = planned(cores=64, price_core_hour=0.04).as_dict()
    assert json.loads(json.dumps(found)) == found
    assert found["stages"]["model"]["core_seconds_per_row"] == pytest.approx(0.02)  # type: ignore[index]
    assert len(planned().records()) == 3


@pytest.mark.parametrize(
    ("device", "fleet", "words"),
    [
        ("cpu", {"gpus": 8}, "`gpus` 8: this run measures no GPU"),
        ("cpu", {"price_gpu_hour": 2.0}, "`price_gpu_hour` is for GPUs"),
        ("cuda", {"gpus": 1, "gpu_rows_per_second": 5.0}, "is measured in this run"),
        ("cuda", {"gpus": 8, "cores": 4}, "`gpus` 8 needs at least 8 `cores`"),
        ("cuda", {"gpus": 3}, "there are 2"),
        ("mps", {}, "add `device` cpu"),
    ],
)
def test_what_a_run_cannot_tell(device: str, fleet: dict[str, float], words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        Fleet(rows=1, **fleet).check(device, cores=2)  # type: ignore[arg-type]


def test_what_a_run_can_tell() -> None:
    Fleet(rows=1, gpus=2, gpu_rows_per_second=5).check("cpu", cores=2)
    Fleet(rows=1, gpus=2).check("cuda", cores=2)


seconds = st.floats(min_value=1e-6, max_value=1e4)


@given(
    st.tuples(seconds, seconds, seconds, seconds, seconds),
    st.integers(1, 64),
    st.integers(1, 1000),
)
def test_ways_keep_to_the_core_time(times: tuple[float, ...], measured: int, cores: int) -> None:
    costs = replace(COSTS, seconds=dict(zip(COSTS.seconds, times, strict=True)), cores=measured)
    of_a_row = sum(costs.core_seconds(stage) for stage in costs.seconds)
    one, shards, ray = planned(costs=costs, cores=cores).ways
    for way in (one, shards, ray):
        assert way.processes * way.cores <= cores
        assert way.rows_per_second <= cores / of_a_row * (1 + 1e-9)
        assert way.limited_by in costs.seconds
        assert way.seconds == pytest.approx(1e6 / way.rows_per_second + 2)
    assert shards.rows_per_second <= ray.rows_per_second * (1 + 1e-9)
    more = planned(costs=costs, cores=cores + measured).ways
    assert more[0].rows_per_second >= one.rows_per_second * (1 - 1e-9)


def test_words() -> None:
    assert rate_of(30.06) == "30.1 rows/s"
    assert [time_of(value) for value in (3.2e-6, 0.0664, 2.5)] == ["3.20 µs", "66.4 ms", "2.50 s"]
