import os
from collections.abc import Callable

import pytest

from distilcli.app import main
from distilcli.console import Console
from distilcli.console.terminal import printable, terminal_size
from tests.console.conftest import Terminal

Terminals = Callable[..., tuple[Terminal, Terminal]]
NOTE = "a note of many words about /a/path/that-is-long/and/is-never-broken/anywhere.csv ends here"


def test_notes_and_warnings_wrap_at_words(terminal: Terminals) -> None:
    _, err = terminal(40)
    Console().note(NOTE)
    lines = err.getvalue().splitlines()
    assert lines == [
        "distil: a note of many words about",
        "  /a/path/that-is-long/and/is-never-broken/anywhere.csv",
        "  ends here",
    ]
    _, err = terminal(40)
    Console().warn("some words that need more than a line")
    assert err.getvalue() == "distil: warning: some words that need\n  more than a line\n"


def test_a_log_has_a_line_for_each_note(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    Console().note(NOTE, "another")
    assert capsys.readouterr().err == f"distil: {NOTE}\ndistil: another\n"


def test_the_size_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def size_of(descriptor: int) -> os.terminal_size:
        if descriptor == 1:  # stdout is a pipe
            raise OSError
        return os.terminal_size((77, 33))

    monkeypatch.setattr(os, "get_terminal_size", size_of)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("LINES", "11")
    assert terminal_size() == (77, 11)
    monkeypatch.setenv("LINES", "0")
    assert terminal_size() == (77, 33)


def test_printable_text_keeps_its_length() -> None:
    text = "a\tb\x1b[0m\n\u202e好"
    assert printable(text) == "a b\ufffd[0m \ufffd好"
    assert len(printable(text)) == len(text)


def test_errors_wrap_at_words(terminal: Terminals) -> None:
    _, err = terminal(40)
    assert main(["params", "no/such/folder/with/a/long/name/anywhere"]) == 4
    lines = err.getvalue().splitlines()
    assert len(lines) > 1
    assert lines[0].startswith("distil: error: ")
    assert all(line.startswith("  ") for line in lines[1:])
