from collections.abc import Callable, Mapping

import pytest

from distilcli.console.fills import FillsPreview
from distilcli.rows.row import Row
from distilcli.rows.row_writer import AddedNames
from distilcli.tokenizer.filled import filled_in
from tests.console.conftest import Terminal

Terminals = Callable[..., tuple[Terminal, Terminal]]
TEXT = "a \x1b[31mlong\ntext " * 30 + "[MASK]" + " and what follows it" * 20
AT = TEXT.index("[MASK]")


def show(text: str, additions: Mapping[str, object]) -> None:
    names = AddedNames.chosen(["text"], ["filled", "score", "fills"], "")
    with FillsPreview(names, text_columns=["text"]) as preview:
        preview.write_rows([(Row(("text",), [text], "a.csv", 2), additions)])


def additions(text: str, at: int) -> dict[str, object]:
    fills = [[{"token": "splendid", "score": 0.52}, {"token": "##s", "score": 0.0011}]]
    return {"filled": filled_in(text, [(at, at + 6)], ["splendid"]), "score": 0.52, "fills": fills}


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_a_fill_is_seen_in_its_text(terminal: Terminals, columns: int) -> None:
    out, _ = terminal(columns)
    show(TEXT, additions(TEXT, AT))
    header, row, rest = out.plain.splitlines()
    assert header.split() == ["text", "score", "fills"]
    assert "\x1b[1;32msplendid\x1b[0m" in out.getvalue()
    assert "\x1b[31m" not in row
    assert row.startswith("…")
    assert row.endswith("splendid 52%, ##s <1%")
    assert max(len(header), len(row)) <= columns
    assert rest.startswith("… columns not shown: filled")


def test_a_short_text_is_shown_whole(terminal: Terminals) -> None:
    out, _ = terminal(100)
    show("a [MASK] film", additions("a [MASK] film", 2))
    assert "a splendid film" in out.plain


def test_a_row_that_failed_shows_its_text(terminal: Terminals) -> None:
    out, _ = terminal(100)
    show("no mask", {"filled": None, "score": None, "fills": None, "error": "has none"})
    assert "no mask" in out.plain
    assert "has none" in out.plain
