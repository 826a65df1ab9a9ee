import re
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from distilcli import __version__
from distilcli.app import COMMANDS, app, main
from distilcli.commands._declare import as_shown, spellings_of


def _loaded(name: str) -> Callable[..., Any]:
    command: Callable[..., Any] = getattr(import_module(COMMANDS[name].module), name)
    return command


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr() == (f"distil {__version__}\n", "")


@pytest.mark.parametrize("arguments", [["-h"], ["--help"]])
def test_help(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("Usage: distil ")
    assert all(f"\n  {name} " in captured.out for name in COMMANDS)
    topics = [line for line in captured.out.splitlines() if line.endswith(":")]
    assert topics[0] == "Label and read texts:"
    assert topics[-1] == "Exit codes:"
    assert captured.err == ""


def test_distil_alone_shows_a_page_that_fits_a_small_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert len(lines) < 24  # the prompt takes one
    assert max(map(len, lines)) <= 80
    assert "distil --help" in out
    assert err == ""


@pytest.mark.slow
def test_what_a_page_tells_to_type_can_be_typed(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--help"], *([name, "--help"] for name in COMMANDS)):
        assert main(arguments) == 0
        for line in re.findall(
            r"^  (?:.*\| )?distil ([a-z]+ .*)", capsys.readouterr().out, re.MULTILINE
        ):
            command, *words = line.partition("    ")[0].split()
            flags = {
                word.partition("=")[0] for word in words if word.startswith("-") and word != "-"
            }
            spellings = spellings_of(_loaded(command)).values()
            assert flags <= {each for parts in spellings for each in parts}, line


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_topics_plain_types_and_examples(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert not re.search(r"<|--no-no-|\brange\b", out)
    topics = re.findall(r"^([A-Z][a-z ]+):$", out, re.MULTILINE)
    assert topics[0] in {"Input", "Shell"}
    assert topics[-2:] == ["Report", "Examples"]
    own = {each for parts in spellings_of(_loaded(name)).values() for each in parts}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", out.partition("Examples:")[0]))
    assert named <= own | {"--help"} | {"--"}


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["ner"], "did you mean 'distil tag'?"),
        (["predict"], "did you mean 'distil classify'?"),
        (["train"], "did you mean 'distil finetune'?"),
        (["clasify"], "did you mean 'distil classify'?"),
        (["help"], "did you mean 'distil --help'?"),
        (["version"], "did you mean 'distil --version'?"),
        (["-V"], "did you mean 'distil --version'?"),
        (["xyz"], "no command 'xyz'; see 'distil --help'"),
        (["classify", "--batch-size", "3"], "no option --batch-size; did you mean --batch?"),
        (["classify", "--treshold", "1"], "no option --treshold; did you mean --threshold?"),
        (["classify", "--xyz"], "no option --xyz; see 'distil classify --help'"),
        (["--verson"], "did you mean --version?"),
    ],
)
def test_an_unknown_word_names_the_likely_one(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert hint in err
    assert err.count("\n") == 1


@pytest.mark.slow
def test_every_command_has_help_in_both_spellings(capsys: pytest.CaptureFixture[str]) -> None:
    for command in app.registered_commands:
        assert command.callback is not None
        name = command.name or command.callback.__name__
        assert main([name, "-h"]) == 0
        short = capsys.readouterr().out
        assert main([name, "--help"]) == 0
        assert capsys.readouterr().out == short
        assert short.startswith(f"Usage: distil {name} ")


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", "distilcli", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"distil {__version__}\n"


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("qa --text-column q --pair-column c", "--question-column q --context-column c"),
        ("qa -c q", "--question-column q"),
        ("choose --text-column p", "--prompt-column p"),
        ("choose --question-column=p", "--prompt-column=p"),
        ("classify --prompt-column a --context-column b", "--text-column a --pair-column b"),
        ("evaluate m --question-column q --context-column c", "m --text-column q --pair-column c"),
        ("finetune f --question-column q --context-column c", "f --text-column q --pair-column c"),
        ("finetune f --token-budget 64", "f --max-tokens 64"),
        ("bench --json old.json", "--stats old.json"),
        ("bench --json", "--json"),
        ("tokenize --stats a.csv", "--statistics a.csv"),
    ],
)
def test_further_spellings_are_understood(words: str, shown: str) -> None:
    command, *given = words.split()
    assert as_shown(_loaded(command), given) == shown.split()
