import subprocess
import sys

import pytest

from distilcli import __version__
from distilcli.app import app, main


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr() == (f"distil {__version__}\n", "")


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_help(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("Usage: distil ")
    assert "params" in captured.out
    assert captured.err == ""


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
