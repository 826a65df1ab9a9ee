import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

import pytest

from distilcli.console import Console
from distilcli.console.summary import (
    Preview,
    show_estimate,
    show_interrupted,
    show_summary,
    show_training,
)
from distilcli.engine.estimate import Estimate
from distilcli.rows.row import Row
from distilcli.rows.row_writer import AddedNames
from distilcli.stats import RunStats
from tests.console.conftest import Terminal

Terminals = Callable[..., tuple[Terminal, Terminal]]
COLUMNS = ("id", "text", "author", "year")
TEXT = "a text that is much longer than what a narrow terminal has room for, so it is cut"


def _rows(count: int) -> list[tuple[Row, Mapping[str, object]]]:
    return [
        (
            Row(COLUMNS, [str(n), f"{n} {TEXT}", "somebody", "1999"], "a.csv", n + 2),
            {"label": "positive", "score": 0.98765},
        )
        for n in range(count)
    ]


def _preview(rows: Iterable[tuple[Row, Mapping[str, object]]], **settings: object) -> None:
    names = AddedNames.chosen(COLUMNS, ["label", "score"], "")
    with Preview(names, text_columns=["text"], **settings) as preview:  # type: ignore[arg-type]
        for row in rows:
            preview.write_rows([row])


def test_the_first_rows_and_how_many_there_are(terminal: Terminals) -> None:
    out, err = terminal(140)
    _preview(_rows(25))
    lines = out.plain.splitlines()
    assert lines[0].split() == [*COLUMNS, "label", "score"]
    assert len(lines) == 22
    assert lines[1].split()[:2] == ["0", "0"]
    assert lines[1].endswith("somebody  1999  positive  0.988")
    assert lines[-1] == "… 5 more rows; -o FILE keeps them all"
    assert err.getvalue() == ""


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 160])
def test_what_was_found_is_never_cut(terminal: Terminals, columns: int) -> None:
    out, _ = terminal(columns)
    _preview(_rows(3))
    lines = out.plain.splitlines()
    assert max(map(len, lines)) <= columns
    assert all(line.rstrip().endswith("  positive  0.988") for line in lines[1:4])
    assert lines[1].split(maxsplit=1)[1].startswith(("0 a text", "a text"))


def test_columns_without_room_are_named(terminal: Terminals) -> None:
    out, _ = terminal(50)
    _preview(_rows(3))
    assert "author" not in out.plain.splitlines()[0]
    words = " ".join(out.plain.split())
    assert "columns not shown: author, year; -o FILE keeps them all" in words


def test_nothing_is_said_where_all_is_shown(terminal: Terminals) -> None:
    out, _ = terminal(140)
    _preview(_rows(3))
    assert "…" not in out.plain.splitlines()[-1]


def test_wide_signs_take_two_places(terminal: Terminals) -> None:
    from rich.cells import cell_len

    out, _ = terminal(60)
    row = Row(COLUMNS, ["1", "電影很好看" * 20, "x", "1999"], "a.csv", 2)
    _preview([(row, {"label": "好", "score": 0.5})])
    assert max(map(cell_len, out.plain.splitlines())) <= 60
    assert "好" in out.plain.splitlines()[1]


def test_a_cell_cannot_speak_to_the_terminal(terminal: Terminals) -> None:
    out, _ = terminal()
    row = Row(COLUMNS, ["1", "[red]good[/x]\x1b[2J\nnew\tline\a", "x", "1999"], "a.csv", 2)
    _preview([(row, {"label": "[b]", "score": 0.5})])
    assert "\x1b[2J" not in out.getvalue()
    assert "\a" not in out.getvalue()
    assert "[red]good[/x]" in out.plain
    assert "new line" in out.plain
    assert len(out.plain.splitlines()) == 2


def test_rows_of_a_live_pipe_are_shown_as_they_come(terminal: Terminals) -> None:
    out, _ = terminal(60)
    names = AddedNames.chosen(COLUMNS, ["label", "score"], "")
    with Preview(names, text_columns=["text"], live=True) as preview:
        for count, row in enumerate(_rows(30), start=1):
            preview.write_rows([row])
            assert len(out.plain.splitlines()) == 1 + count
    lines = out.plain.splitlines()
    places = {line.index("positive") for line in lines[1:]}
    assert len(places) == 1
    assert lines[0].index("label") == places.pop()


def _rows_and_then_a_fault() -> Iterator[tuple[Row, Mapping[str, object]]]:
    yield from _rows(3)
    raise ZeroDivisionError


def test_nothing_is_shown_of_a_run_that_failed(terminal: Terminals) -> None:
    out, _ = terminal()
    with pytest.raises(ZeroDivisionError):
        _preview(_rows_and_then_a_fault())
    assert out.getvalue() == ""


def test_colours_only_where_they_are_wanted(
    terminal: Terminals, monkeypatch: pytest.MonkeyPatch
) -> None:
    colour = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
    failed = (Row(COLUMNS, ["1", "a", "x", "1999"], "a.csv", 2), {"label": None, "error": "bad"})
    found = {}
    for setting in ("", "1"):
        out, err = terminal()
        if setting:
            monkeypatch.setenv("NO_COLOR", setting)
        _preview([failed])
        show_summary(Console(), _stats(), Counter(good=2))
        found[setting] = out.getvalue() + err.getvalue()
    assert colour.search(found[""])
    assert not colour.search(found["1"])


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
    assert " ".join(lines[4]) == "batches 1: p50 250 ms, p95 250 ms, p99 250 ms; padding 10.0%"
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
    assert "label 19" in err.plain
    assert "label 20" not in err.plain
    assert "… 10 more labels" in err.plain


def test_a_row_with_several_labels_counts_for_each(terminal: Terminals) -> None:
    _, err = terminal()
    show_summary(Console(), _stats(), Counter(a=1_200, b=600))
    shares = [line.split()[2] for line in err.plain.splitlines() if line.startswith(("a ", "b "))]
    assert shares == ["100.0%", "50.0%"]


def test_the_summary_for_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    show_summary(Console(), _stats(failed=200, skipped=200), Counter(good=1_000))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("distil: 1,200 rows in 0.0 s (")
    assert err.endswith("; failed: 200 rows (left out), the first: a.csv: line 3: odd\n")
    assert err.count("\n") == 1


def test_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    show_summary(Console(quiet=True), _stats(), Counter(good=1))
    show_estimate(Console(quiet=True), Estimate(rows=3))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (59.5, "59.5 s"), (61, "1 min 01 s"), (7260, "2 h 01 min")],
)
def test_the_estimate(capsys: pytest.CaptureFixture[str], seconds: float, words: str) -> None:
    expected = Estimate(
        rows=1, tokens=4_000, expected_seconds=seconds, expected_peak_memory_bytes=3 << 20
    )
    show_estimate(Console(), expected)
    assert capsys.readouterr().err == (
        f"distil: 1 row, 4,000 tokens; about {words}; peak memory about 3 MiB\n"
    )


def test_how_training_ended(capsys: pytest.CaptureFixture[str]) -> None:
    best = {"accuracy": 0.91234, "macro_f1": 0.9, "step": 1_000}
    show_training(Console(), {"best": best, "steps": 2_000}, "m", command="classify")
    show_interrupted(Console(quiet=True), "m", can_resume=False, forced=False)
    assert capsys.readouterr().err.splitlines() == [
        "distil: best accuracy 0.9123, macro f1 0.9000 after 1,000 of 2,000 steps",
        "distil: the model is in m; try: distil classify FILE --model m",
        "distil: warning: interrupted; m: nothing is saved yet",
    ]


def test_added_columns_without_room_are_named_too(terminal: Terminals) -> None:
    out, _ = terminal(60)
    row, additions = _rows(1)[0]
    many = {f"score_{n}_of_many": 0.5 for n in range(9)}
    _preview([(row, {**additions, **many})])
    assert out.plain.splitlines()[0].split()[:3] == ["text", "label", "score"]
    assert max(map(len, out.plain.splitlines())) <= 60
    assert "score_8_of_many" in out.plain.partition("columns not shown: ")[2]
