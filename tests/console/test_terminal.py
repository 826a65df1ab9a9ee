import os
from collections.abc import Callable

import pytest

from distilcli.app import main
from distilcli.console import Console, TableFormat
from distilcli.console.progress import live_bar
from distilcli.console.terminal import printable, stdout, terminal_size, text
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


HOSTILE = "\x1b]0;owned\x07\x9b2J\u202e[red]"


def test_no_text_reaches_the_terminal_unescaped(terminal: Terminals) -> None:
    from rich.table import Table
    from rich.text import Text

    out, _ = terminal(300)
    table = Table(f"header{HOSTILE}", title=f"title{HOSTILE}")
    table.add_row(f"cell{HOSTILE}")
    table.add_row(Text(f"text{HOSTILE}"))
    for each in (HOSTILE, text(HOSTILE, "bold"), table):
        stdout().print(each)
    assert not set("\x07\x9b\u202e") & set(out.getvalue())
    assert "\x1b]" not in out.getvalue()
    assert out.plain.count("[red]") == 6
    for kind in ("header", "cell", "text"):
        assert f"{kind}\\x1b]0;owned" in out.plain


def test_a_bar_does_not_obey_its_name(terminal: Terminals) -> None:
    _, err = terminal(100)
    with live_bar(lambda: HOSTILE, lambda: 0.5, name=HOSTILE, shown=True):
        pass
    assert not set("\x07\x9b\u202e") & set(err.getvalue())
    assert "\x1b]" not in err.getvalue()


def test_notes_and_warnings_are_one_line_each(terminal: Terminals) -> None:
    _, err = terminal(300)
    Console().note(f"a\nb {HOSTILE}")
    Console().warn(f"a\r\nb {HOSTILE}")
    assert err.getvalue() == (
        "distil: a\\nb \\x1b]0;owned\\x07\\u009b2J\\u202e[red]\n"
        "distil: warning: a\\x0d\\nb \\x1b]0;owned\\x07\\u009b2J\\u202e[red]\n"
    )


@pytest.mark.parametrize("table_format", ["json", "csv", "tsv"])
def test_data_is_escaped_for_a_terminal_and_raw_for_a_pipe(
    terminal: Terminals, capsys: pytest.CaptureFixture[str], table_format: TableFormat
) -> None:
    record = {"label": "\x9b2J\u202e"}
    Console().show([record], document=record, title="", table_format=table_format)
    assert "\x9b2J\u202e" in capsys.readouterr().out
    out, _ = terminal()
    Console().show([record], document=record, title="", table_format=table_format)
    assert r"\u009b2J\u202e" in out.getvalue()
