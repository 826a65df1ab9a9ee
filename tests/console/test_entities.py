from collections.abc import Callable, Mapping

import pytest

from distilcli.console.entities import EntityView
from distilcli.rows.row import Row
from distilcli.rows.writer import AddedNames
from tests.console.conftest import Terminal

Terminals = Callable[..., tuple[Terminal, Terminal]]
Shown = tuple[Row, Mapping[str, object]]
TEXT = "Tim Cook runs Apple"


def entity(text: str, label: str, start: int) -> dict[str, object]:
    return {"text": text, "label": label, "start": start, "end": start + len(text), "score": 0.9}


def a_row(text: str = TEXT, *entities: dict[str, object], **additions: object) -> Shown:
    return Row(("text",), [text], "a.csv", 2), {"entities": list(entities), **additions}


COOK = a_row(TEXT, entity("Tim Cook", "PER", 0), entity("Apple", "ORG", 14))


def show(*rows: Shown, text_column: str = "text", **settings: object) -> None:
    names = AddedNames.chosen(("text",), ["entities"], "")
    with EntityView(
        names,
        labels=("PER", "ORG"),
        text_columns=[text_column],
        **settings,
    ) as view:
        for row in rows:
            view.write_rows([row])


def test_entities_are_marked_in_place(terminal: Terminals) -> None:
    out, err = terminal()
    show(COOK, a_row("nobody"))
    assert [line.rstrip() for line in out.plain.splitlines()] == [
        " 1  [Tim Cook PER] runs [Apple ORG]",
        " 2  nobody",
    ]
    assert err.getvalue() == ""


def styles(out: Terminal) -> dict[str, str]:
    """The escapes before each label."""
    return {
        label: out.getvalue().partition(f"{label}]")[0].rpartition("\x1b[")[2].removesuffix("B-")
        for label in ("PER", "ORG")
    }


def test_a_label_has_a_colour_of_its_own(terminal: Terminals) -> None:
    out, _ = terminal()
    show(COOK)
    first = styles(out)
    assert first["PER"] != first["ORG"]
    out, _ = terminal()
    show(a_row("Apple", entity("Apple", "ORG", 0)), COOK)
    assert styles(out) == first


def test_tokens_have_the_colour_of_their_entities(terminal: Terminals) -> None:
    out, _ = terminal()
    show(a_row(TEXT, entity("Tim", "B-PER", 0), entity("Apple", "B-ORG", 14)))
    tokens = styles(out)
    out, _ = terminal()
    show(COOK)
    assert styles(out) == tokens


def test_it_reads_without_colours(terminal: Terminals, monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = terminal()
    monkeypatch.setenv("NO_COLOR", "1")
    show(COOK)
    assert "[Tim Cook PER] runs [Apple ORG]" in out.plain
    assert "\x1b[30" not in out.getvalue()
    assert ";10" not in out.getvalue()


@pytest.mark.parametrize("columns", [30, 60, 100])
def test_texts_are_wrapped_to_the_terminal(terminal: Terminals, columns: int) -> None:
    out, _ = terminal(columns)
    show(a_row(f"{TEXT} " * 8, entity("Tim Cook", "PER", 0)))
    lines = out.plain.splitlines()
    assert max(map(len, lines)) <= columns
    assert all(line.startswith("    ") for line in lines[1:])
    assert " ".join(out.plain.split()).count("runs") == 8


def test_the_first_rows_and_how_many_more(terminal: Terminals) -> None:
    out, _ = terminal()
    show(*[COOK] * 25)
    lines = out.plain.splitlines()
    assert len(lines) == 21
    assert lines[19].startswith("20  [Tim Cook PER]")
    assert lines[-1] == "… 5 more rows; -o FILE keeps them all"
    out, _ = terminal()
    show(*[COOK] * 21)
    assert out.plain.splitlines()[-1] == "… 1 more row; -o FILE keeps them all"


def test_live_rows_are_shown_as_they_come(terminal: Terminals) -> None:
    out, _ = terminal()
    names = AddedNames.chosen(("text",), ["entities"], "")
    with EntityView(names, labels=("PER",), text_columns=["text"], live=True) as view:
        for count in range(1, 31):
            view.write_rows([COOK])
            assert out.plain.count("Tim Cook") == count
    assert "more row" not in out.plain


def test_a_row_that_failed_says_why(terminal: Terminals) -> None:
    out, _ = terminal()
    row = Row(("other",), ["x"], "a.jsonl", 3)
    show((row, {"entities": None, "error": "a.jsonl: line 3: no value at 'text'"}), a_row("b"))
    assert out.plain.splitlines()[0].rstrip() == " 1  a.jsonl: line 3: no value at 'text'"


def test_a_dotted_path_leads_to_the_text(terminal: Terminals) -> None:
    out, _ = terminal()
    row = Row(("doc",), [{"body": "Apple"}], "a.jsonl", 1)
    show((row, {"entities": [entity("Apple", "ORG", 0)]}), text_column="doc.body")
    assert "[Apple ORG]" in out.plain


def test_signs_that_a_terminal_would_obey_are_shown(terminal: Terminals) -> None:
    out, _ = terminal()
    show(a_row("Tim\nCook \x1b[31mruns\x07 [bold]Apple[/bold]", entity("Tim\nCook", "PER", 0)))
    assert "[Tim Cook PER] \ufffd[31mruns\ufffd [bold]Apple[/bold]" in out.plain


def test_very_long_texts_are_cut(terminal: Terminals) -> None:
    out, _ = terminal(120)
    text = "word " * 400
    show(a_row(text, entity("word", "PER", 0), entity("word", "ORG", 1995)))
    assert "[word PER]" in out.plain
    assert "ORG" not in out.plain
    assert out.plain.rstrip().endswith("…")
    assert out.plain.count("word") == 200


def test_texts_fit_the_height_of_the_terminal(terminal: Terminals) -> None:
    out, _ = terminal(40, 24)
    show(*[a_row("some words " * 40, entity("some", "PER", 0))] * 30)
    *texts, rest = out.plain.splitlines()
    assert len(texts) == 5
    assert texts[0].startswith(" 1  [some PER] words")
    assert rest == "… 29 more rows; -o FILE keeps them all"
    out, _ = terminal(40, 24)
    show(*[COOK] * 30)
    assert len(out.plain.splitlines()) == 8 + 1


def test_one_long_text_is_always_shown(terminal: Terminals) -> None:
    out, _ = terminal(40, 10)
    show(a_row("[MASK] " * 200))
    assert out.plain.startswith(" 1  [MASK]")
    assert out.plain.rstrip().endswith("…")
