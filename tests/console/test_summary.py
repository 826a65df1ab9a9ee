import re
from collections import Counter
from collections.abc import Callable

import pytest

from distilcli.console import Console
from distilcli.console.summary import show_estimate, show_summary
from distilcli.engine.estimate import Estimate
from distilcli.stats import RunStats
from tests.console.conftest import Terminal

Terminals = Callable[..., tuple[Terminal, Terminal]]


def _stats(**counts: int) -> RunStats:
    stats = RunStats(device="cpu")
    stats.start()
    stats.add_rows(1_200, **counts)
    stats.add_batch(tokens=90, positions=100, seconds=0.25)
    if counts.get("failed"):
        stats.note_error("a.csv: line 3: odd")
    stats.finish()
    return stats


def test_the_summary_for_people(terminal: Terminals) -> None:
    out, err = terminal()
    show_summary(Console(), _stats(failed=200, truncated=7), Counter(good=750, bad=250))
    lines = [line.split() for line in err.plain.splitlines() if line]
    assert out.getvalue() == ""
    assert lines[0] == ["label", "rows", "share"]
    assert lines[1] == ["good", "750", "75.0%", "━" * 18]
    assert lines[2] == ["bad", "250", "25.0%", "━" * 6]
    assert lines[3][:3] == ["done", "1,200", "rows"]
    assert " ".join(lines[4]) == "batches 1: 250 ms; padding 10.0%"
    assert lines[5][:4] == ["device", "cpu,", "peak", "memory"]
    assert lines[6] == ["truncated", "7", "rows"]
    assert " ".join(lines[7]) == "failed 200 rows, the first: a.csv: line 3: odd"


@pytest.mark.parametrize("columns", [40, 60])
def test_the_summary_stays_within_the_terminal(terminal: Terminals, columns: int) -> None:
    _, err = terminal(columns)
    show_summary(Console(), _stats(failed=200), Counter({"a label of many words" * 3: 9}))
    assert max(map(len, err.plain.splitlines())) <= columns


def test_many_labels_are_cut_short(terminal: Terminals) -> None:
    _, err = terminal()
    show_summary(Console(), _stats(), Counter({f"label {n}": 100 - n for n in range(30)}))
    assert "label 9" in err.plain
    assert "label 10" not in err.plain
    assert "… 20 more labels" in err.plain


def test_a_row_with_several_labels_counts_for_each(terminal: Terminals) -> None:
    _, err = terminal()
    show_summary(Console(), _stats(), Counter(a=1_200, b=600))
    shares = [line.split()[2] for line in err.plain.splitlines() if line.startswith(("a ", "b "))]
    assert shares == ["100.0%", "50.0%"]


def test_the_summary_for_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    show_summary(Console(), _stats(failed=200, skipped=200), Counter(good=1_000))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("distil: 1,200 rows in 0 ms (")
    assert err.endswith("; failed: 200 rows (skipped), the first: a.csv: line 3: odd\n")
    assert err.count("\n") == 1


def test_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    show_summary(Console(quiet=True), _stats(), Counter(good=1))
    show_estimate(Console(quiet=True), Estimate(rows=3))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "40 ms"), (59.5, "59.5 s"), (61, "1 min 01 s"), (7260, "2 h 01 min")],
)
def test_the_estimate(capsys: pytest.CaptureFixture[str], seconds: float, words: str) -> None:
    expected = Estimate(
        rows=1, tokens=4_000, expected_seconds=seconds, expected_peak_memory_bytes=3 << 20
    )
    show_estimate(Console(), expected)
    assert capsys.readouterr().err == (
        f"distil: 1 row, 4,000 tokens; about {words}; peak memory about 3 MiB\n"
    )


def test_the_summary_says_where_the_rows_went(
    terminal: Terminals, capsys: pytest.CaptureFixture[str]
) -> None:
    stats = _stats(failed=200, skipped=200)
    show_summary(Console(), stats, Counter(good=1_000), output="labelled.csv", written=1_000)
    assert capsys.readouterr().err.endswith("; wrote 1,000 rows to labelled.csv\n")
    _, err = terminal()
    show_summary(Console(), stats, Counter(good=1_000), output="labelled.csv", written=1_000)
    assert err.plain.splitlines()[-1] == "distil: wrote 1,000 rows to labelled.csv"


def test_one_row_has_no_percentiles_and_no_rates(terminal: Terminals) -> None:
    _, err = terminal()
    stats = RunStats(device="cpu")
    stats.start()
    stats.add_rows(1)
    stats.add_batch(tokens=9, positions=9, seconds=0.25)
    stats.finish()
    show_summary(Console(), stats, Counter(good=1))
    lines = [line.split() for line in err.plain.splitlines() if line]
    assert [line[0] for line in lines] == ["done", "device"]
    assert lines[0][1:4] == ["1", "row", "in"]
    assert "/s" not in err.plain


def test_percentiles_are_of_several_batches(terminal: Terminals) -> None:
    _, err = terminal()
    stats = _stats()
    stats.add_batch(tokens=90, positions=100, seconds=0.5)
    show_summary(Console(), stats, Counter())
    assert "2: p50 250 ms; padding 10.0%" in err.plain
    for _ in range(8):
        stats.add_batch(tokens=90, positions=100, seconds=0.5)
    show_summary(Console(), stats, Counter())
    assert "10: p50 500 ms, p95 500 ms, p99 500 ms; padding 10.0%" in err.plain


_COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]m")


@pytest.mark.parametrize("setting", ["", "1"])
def test_colours_only_where_they_are_wanted(
    terminal: Terminals, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    out, err = terminal()
    if setting:
        monkeypatch.setenv("NO_COLOR", setting)
    show_summary(Console(), _stats(failed=1), Counter(good=2))
    assert bool(_COLOUR.search(out.getvalue() + err.getvalue())) is not bool(setting)
