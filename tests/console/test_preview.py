import re
from collections.abc import Callable, Iterable, Iterator, Mapping

import pytest

from distilcli.console.preview import Preview
from distilcli.rows.row import Row
from distilcli.rows.writer import AddedNames
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


def test_added_columns_without_room_are_named_too(terminal: Terminals) -> None:
    out, _ = terminal(60)
    row, additions = _rows(1)[0]
    many = {f"score_{n}_of_many": 0.5 for n in range(5)}
    _preview([(row, {**additions, **many})])
    assert out.plain.splitlines()[0].split()[:3] == ["text", "label", "score"]
    assert max(map(len, out.plain.splitlines())) <= 60
    assert "score_4_of_many" in out.plain.partition("columns not shown: ")[2]


@pytest.mark.parametrize(("lines", "rows"), [(24, 8), (30, 14), (60, 20), (10, 5)])
def test_a_preview_fits_the_height_of_the_terminal(
    terminal: Terminals, lines: int, rows: int
) -> None:
    out, _ = terminal(80, lines)
    _preview(_rows(100))
    shown = out.plain.splitlines()
    assert len([line for line in shown if "positive" in line]) == rows
    assert shown[0].split()[:2] == ["id", "text"]
    assert shown[1 + rows].startswith(f"… {100 - rows} more rows; ")
    assert len(shown) <= max(lines - 12, 7)  # the summary and the prompt need the others


def test_a_file_gets_twenty_rows_whatever_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LINES", "10")
    _preview(_rows(100))
    assert capsys.readouterr().out.count("positive") == 20


def test_no_name_of_a_column_is_broken(terminal: Terminals) -> None:
    out, _ = terminal(80)
    names = AddedNames.chosen(["the_text_to_classify"], ["label", "score"], "a_long_prefix_")
    row = Row(("the_text_to_classify", "id"), ["short", "7"], "a.csv", 2)
    with Preview(names, text_columns=["the_text_to_classify"]) as preview:
        preview.write_rows([(row, {"label": "positive", "score": 0.5})])
    assert out.plain.splitlines()[0].split() == [
        "the_text_to_classify", "id", "a_long_prefix_label", "a_long_prefix_score",
    ]  # fmt: skip


def test_many_hidden_columns_are_counted(terminal: Terminals) -> None:
    out, _ = terminal(40)
    row, additions = _rows(1)[0]
    _preview([(row, {**additions, **{f"a_rather_long_name_{n}": 0.5 for n in range(75)}})])
    assert " more; -o FILE keeps them all" in " ".join(out.plain.split())
    assert "a_rather_long_name_74" not in out.plain


_COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]m")


@pytest.mark.parametrize("setting", ["", "1"])
def test_colours_only_where_they_are_wanted(
    terminal: Terminals, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    out, err = terminal()
    if setting:
        monkeypatch.setenv("NO_COLOR", setting)
    failed = (Row(COLUMNS, ["1", "a", "x", "1999"], "a.csv", 2), {"label": None, "error": "bad"})
    _preview([failed])
    assert bool(_COLOUR.search(out.getvalue() + err.getvalue())) is not bool(setting)


def test_a_short_text_leaves_its_room_to_a_long_one(terminal: Terminals) -> None:
    out, _ = terminal(80)
    names = AddedNames.chosen(["question", "context"], ["score"], "")
    row = Row(("question", "context"), ["who?", "word " * 11], "a.csv", 2)
    with Preview(names, text_columns=["question", "context"]) as preview:
        preview.write_rows([(row, {"score": 0.5})])
    assert "…" not in out.plain
