import json
from pathlib import Path
from typing import Any

import pytest

from distilcli.benchmark.dataset import DatasetReport
from distilcli.benchmark.gates import Old, check_gates
from distilcli.errors import GateError, InputError
from tests.benchmark._made import MACHINE, report, result, setting


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "old.json"


def old(path: Path, *results: Any, **of_machine: object) -> Old:
    document = report(*results, environment=MACHINE | of_machine).as_dict()
    path.write_text(json.dumps(document))
    return Old.read(path)


def test_the_same_settings_are_matched(path: Path) -> None:
    was = old(path, result(p50_ms=10), result(p50_ms=20, batch=8), result(p50_ms=1, threads=1))
    now = report(result(p50_ms=30, batch=8), result(p50_ms=9), result(p50_ms=2, precision="int8"))
    now.changes = was.changes(now)
    assert [(each.setting.batch, round(each.p50_share, 6)) for each in now.changes] == [
        (8, 0.5), (4, -0.1),
    ]  # fmt: skip
    assert [record["old_p50_ms"] for record in now.records()] == [20, 10, None]


def test_slower_by_more_than_that_fails(path: Path) -> None:
    was = old(path, result(p50_ms=10), result(p50_ms=10, batch=8))
    now = report(result(p50_ms=10.4), result(p50_ms=11, batch=8))
    assert was.slower(now, fail_over=0.11) == []
    assert was.slower(now, fail_over=0.05) == [
        f"{setting(batch=8).described()}: p50 11.000 ms, was 10.000 ms (+10.0%)"
    ]


def test_a_rate_lower_by_more_than_that_fails(path: Path) -> None:
    was = old(path, result(batches_per_second=100))
    now = report(result(batches_per_second=90))
    now.changes = was.changes(now)
    assert now.records()[0]["old_sequences_per_second"] == 400
    assert now.records()[0]["rate_change"] == pytest.approx(-0.1)
    assert was.slower(now, fail_over=0.11) == []
    assert was.slower(report(result(batches_per_second=200)), fail_over=0) == []
    assert was.slower(now, fail_over=0.05) == [
        f"{setting().described()}: 360.000 sequences/s, was 400.000 (-10.0%)"
    ]


def test_the_rival_is_not_judged(path: Path) -> None:
    rival = {"model": "rival"}
    was = old(path, result(p50_ms=10), result(p50_ms=1, **rival))
    now = report(result(p50_ms=10), result(p50_ms=50, **rival), result(seq=8, **rival))
    assert [change.setting for change in was.changes(now)] == [setting()]
    assert was.differences(now) == []
    check_gates(now, most_p95_ms=10, old=was, fail_over=0)


def test_one_error_tells_of_both_gates(path: Path) -> None:
    was = old(path, result(p50_ms=10))
    now = report(result(p50_ms=20))
    with pytest.raises(GateError) as failed:
        check_gates(now, most_p95_ms=15, old=was, fail_over=0.05)
    name = setting().described()
    assert str(failed.value) == (
        f"gate failed: p95 above 15 ms: {name}: p95 20.000 ms; "
        f"slower by more than 5.0%: {name}: p50 20.000 ms, was 10.000 ms (+100.0%)"
    )
    with pytest.raises(GateError, match=r"^gate failed: slower by more"):
        check_gates(now, most_p95_ms=None, old=was, fail_over=0.05)


def test_nothing_to_compare_with(path: Path) -> None:
    was = old(path, result(model="another"))
    with pytest.raises(InputError, match="none of its settings was measured now"):
        was.slower(report(result()), fail_over=9)


def test_what_makes_it_unfair_is_said(path: Path) -> None:
    was = old(path, result(), result(batch=8), result(batch=9), torch="1.0", cores=64)
    said = was.differences(report(result(), result(seq=8)))
    assert len(said) == 4
    assert "cores was 64 and is 2 now" in said[0]
    assert "torch was 1.0 and is 2.13.0 now" in said[1]
    assert "nothing to compare with for tiny on cpu, fp32, seq 8" in said[2]
    assert said[3].endswith("seq 128, batch 8, threads 2 and 1 more")
    assert was.differences(report(result(), result(batch=8), result(batch=9))) == said[:2]


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"format": "other"}', '{"format": "distil bench", "version": 1}',
     '{"format": "distil bench", "version": 1, "environment": {}, "results": []}',
     '{"format": "distil bench", "version": 1, "environment": {}, "results": [{"p50_ms": 1}]}'],
)  # fmt: skip
def test_a_file_that_is_none_of_ours(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(InputError, match="not written by distil bench --stats"):
        Old.read(path)


def test_a_benchmark_of_whole_runs(path: Path) -> None:
    path.write_text(json.dumps(DatasetReport(MACHINE, []).as_dict()))
    with pytest.raises(InputError, match="runs cannot be compared"):
        Old.read(path)


def test_a_line_says_which_machine_it_is_from() -> None:
    (line,) = report(result()).records()
    assert {name: line[name] for name in ("cpu", "gpu", "torch", "date")} == {
        name: MACHINE[name] for name in ("cpu", "gpu", "torch", "date")
    }


def test_a_file_that_cannot_be_read(path: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        Old.read(path)
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        Old.read(tmp_path)
    path.write_text('{"format": "distil bench", "version": 9}')
    with pytest.raises(InputError, match="format version 9"):
        Old.read(path)


@pytest.mark.parametrize("name", ["p50_ms", "sequences_per_second"])
@pytest.mark.parametrize("value", [0, -1, "NaN", "Infinity"])
def test_a_figure_that_is_none(path: Path, name: str, value: object) -> None:
    document = report(result()).as_dict()
    document["results"][0][name] = 0.5
    path.write_text(json.dumps(document).replace(f'"{name}": 0.5', f'"{name}": {value}'))
    with pytest.raises(InputError, match="not written by"):
        Old.read(path)


def test_p95() -> None:
    now = report(result(p50_ms=10), result(p50_ms=30, batch=8))
    check_gates(now, most_p95_ms=30, old=None, fail_over=0)
    with pytest.raises(GateError, match="p95 above 29 ms: tiny on cpu, fp32, seq 128, batch 8"):
        check_gates(now, most_p95_ms=29, old=None, fail_over=0)


def test_settings_are_told_apart_by_everything() -> None:
    names = ("model", "device", "precision", "seq", "batch", "threads")
    assert all(setting(**{name: "x"}) != setting() for name in names)
