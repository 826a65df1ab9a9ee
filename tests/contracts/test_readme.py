"""README's commands are run as they stand there, and its Python too."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from distilcli.app import main

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    return re.findall(r"^\$ distil (.+)$", "\n".join(blocks), re.MULTILINE)


def test_commands_run_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "tests" / "data", tmp_path / "tests" / "data")
    monkeypatch.chdir(tmp_path)
    lines = commands()
    assert len(lines) >= 8
    for line in lines:
        code = main(shlex.split(line))
        captured = capsys.readouterr()
        assert code == 0, f"distil {line}\n{captured.err}"


def test_python_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    labels = [line.split()[0] for line in run.stdout.splitlines()]
    assert labels == ["positive", "negative"]


@pytest.mark.parametrize(
    "line",
    [
        "python -m pip install . && distil classify tests/data/reviews.csv",
        'python -m pip install -e ".[dev]" && python -m pytest',
    ],
)
def test_set_up_is_one_line(line: str) -> None:
    assert line in README.splitlines()


def test_every_command_is_shown() -> None:
    for path in (ROOT / "distilcli" / "commands").glob("[a-z]*.py"):
        assert f"distil {path.stem}" in README


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
