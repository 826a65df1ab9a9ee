import pytest

from distilcli.benchmark.comparison import compare_rounds
from distilcli.benchmark.report import Report
from tests.benchmark._made import MACHINE, measured, result


def test_ratios_are_taken_round_by_round() -> None:
    # All of the second round is ten times as slow: no ratio knows of it.
    ours = measured(0.001, 0.010, 0.002, rates=(100.0, 10.0, 90.0))
    theirs = measured(0.002, 0.020, 0.002, rates=(50.0, 5.0, 90.0))
    found = compare_rounds([result(), result(model="rival")], [ours, theirs])
    assert found.rate == 2
    assert found.latency == pytest.approx(0.5)
    assert found.rate_interval == (1, 2)


def test_memory_of_which_one_does_not_tell_has_no_ratio() -> None:
    rounds = [measured(0.001), measured(0.001)]
    known = compare_rounds([result(added=10), result(added=20)], rounds)
    assert known.ratios()["memory_ratio"] == 0.5
    unknown = compare_rounds([result(added=10), result()], rounds)
    assert unknown.ratios()["memory_ratio"] is None


def test_ratios_stand_with_the_model_and_not_with_its_rival() -> None:
    results = [result(), result(model="rival")]
    comparison = compare_rounds(results, [measured(0.001), measured(0.004)])
    report = Report(environment=MACHINE, results=results, comparisons=[comparison])
    first, second = report.records()
    assert list(first) == list(second)
    assert (first["latency_ratio"], second["latency_ratio"]) == (0.25, None)
    assert report.as_dict()["comparisons"][0]["versus"] == "rival"
