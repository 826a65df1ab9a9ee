from collections.abc import Callable

import pytest

from distilcli.console import Console
from distilcli.console.tables import print_table
from tests.console.conftest import Terminal

Terminals = Callable[..., tuple[Terminal, Terminal]]
NAMES = ["precision", "seq", "batch", "p50 ms", "tokens/s", "", "GFLOP/s", "weights MiB"]
ROWS = [["fp32", "128", "1", "15.6", "9,240", "━━━━━━━━━━━━", "207", "86"]]


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (100, NAMES),
        (70, [name for name in NAMES if name]),
        (45, NAMES[:5]),
        (35, NAMES[:4]),  # what it is about stays, whatever the room
    ],
)
def test_columns_without_room_are_left_out_and_named(
    terminal: Terminals, columns: int, shown: list[str]
) -> None:
    out, _ = terminal(columns)
    print_table("a title", NAMES, ROWS)
    title, header, *rest = out.plain.splitlines()
    assert title == "a title"
    assert header.split() == " ".join(shown).split()
    hidden = [name for name in NAMES if name and name not in shown]
    said = " ".join(" ".join(rest).split())
    assert ("columns not shown: " in said) is bool(hidden)
    assert all(name in said for name in hidden)


def test_a_pipe_gets_all_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    print_table("a title", NAMES, ROWS)
    assert capsys.readouterr().out.splitlines()[1].split() == " ".join(NAMES).split()


RECORD = {
    "name": "embeddings.word",
    "parameters": 23_440_896,
    "trainable": 23_440_896,
    "bytes": None,
    "dtype": "F32",
}


def test_optional_and_empty_columns_go_first(terminal: Terminals) -> None:
    for columns, names in ((60, [*RECORD]), (50, ["name", "parameters", "trainable", "dtype"])):
        out, _ = terminal(columns)
        Console().show([RECORD], document={}, title="", optional=["trainable"])
        assert out.plain.splitlines()[1].split() == names
    out, _ = terminal(38)
    Console().show([RECORD], document={}, title="", optional=["trainable"])
    assert out.plain.splitlines()[1].split() == ["name", "parameters", "dtype"]
    assert "columns not shown: trainable, bytes" in " ".join(out.plain.split())


def test_words_of_column_names_stay_whole(terminal: Terminals) -> None:
    out, _ = terminal(40)
    record = dict.fromkeys(["difference", "somewhere", "elsewhere"], "several words " * 9)
    Console().show([record], document={}, title="")
    assert out.plain.splitlines()[1].split() == ["difference", "somewhere", "elsewhere"]


def test_a_cell_cannot_speak_to_the_terminal(terminal: Terminals) -> None:
    out, _ = terminal(80)
    Console().show([{"label": "\x1b[2J[red]a\nb"}], document={}, title="")
    assert "\x1b[2J" not in out.getvalue()
    assert "\ufffd[2J[red]a b" in out.plain


def test_a_cropped_table_fits_the_height_of_the_terminal(terminal: Terminals) -> None:
    records = [{"name": f"tensor {n}"} for n in range(83)]
    out, _ = terminal(80, 24)
    Console().show(records, document={}, title="", cropped=True)
    assert len(out.plain.splitlines()) == 19
    assert out.plain.splitlines()[-1] == "… and 67 more; the csv format has them all"
    out, _ = terminal(80, 24)
    Console().show(records, document={}, title="")
    assert "tensor 82" in out.plain
