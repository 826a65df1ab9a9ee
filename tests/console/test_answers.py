from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from distilcli.app import main
from distilcli.console.answers import AnswersPreview
from distilcli.rows.row import Row
from distilcli.rows.row_writer import AddedNames
from tests.console.conftest import Terminal

Terminals = Callable[..., tuple[Terminal, Terminal]]
CONTEXT = "one \x1b[31mtwo\n" * 60 + "the answer" + " and what follows it" * 20
FOUND = CONTEXT.index("the answer")


def show(context: str, additions: Mapping[str, object]) -> None:
    names = AddedNames.chosen(["question", "context"], list(additions), "")
    with AnswersPreview(names, text_columns=["question", "context"]) as preview:
        row = Row(("question", "context"), ["what is it?", context], "a.csv", 2)
        preview.write_rows([(row, additions)])


@pytest.mark.parametrize("columns", [60, 80, 100, 160])
def test_a_context_is_shown_around_its_answer(terminal: Terminals, columns: int) -> None:
    out, _ = terminal(columns)
    place = {"start": FOUND, "end": FOUND + len("the answer")}
    show(CONTEXT, {"answer": "the answer", "score": 0.5, **place})
    header, row, rest = out.plain.splitlines()
    assert header.split() == ["question", "context", "answer", "score"]
    assert "\x1b[1;32mthe answer" in out.getvalue()
    assert "\x1b[31m" not in row
    assert row.count("the answer") == 2
    assert max(len(header), len(row)) <= columns
    assert rest.startswith("… columns not shown: start, end")


def test_a_context_without_an_answer_is_shown_from_its_beginning(terminal: Terminals) -> None:
    out, _ = terminal(100)
    show("it begins here " * 20, {"answer": "", "score": 0.9, "start": None, "end": None})
    assert "it begins here it" in out.plain


def test_an_answer_is_marked_only_where_it_stands(terminal: Terminals) -> None:
    out, _ = terminal(100)
    show("another text", {"answer": "elsewhere", "score": 0.9, "start": 2, "end": 11})
    assert "1;32m" not in out.getvalue()


@pytest.mark.slow
def test_a_question_of_the_command_line(terminal: Terminals, qa_folder: Path) -> None:
    out, _ = terminal(100)
    context = "a " * 200 + "it was fun , " + "the " * 200
    run = ["qa", "-m", str(qa_folder), "--question", "fun ?", "--context", context]
    assert main(run) == 0
    header, row, _rest = out.plain.splitlines()
    assert header.split() == ["question", "context", "answer", "score", "no_answer_score"]
    assert row.startswith("fun ?")
    assert "1;32m" in out.getvalue()
