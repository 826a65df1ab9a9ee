"""README and the pages under .github/docs are true: commands run, links lead somewhere."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from distilcli.app import COMMANDS, main

ROOT = Path(__file__).parent.parent.parent
README = ROOT / "README.md"
DOCS = sorted((ROOT / ".github" / "docs").glob("*.md"))
PAGES = [README, *sorted((ROOT / ".github").rglob("*.md"))]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def commands(page: Path) -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return re.findall(r"^\$ distil (.+)$", "\n".join(blocks), re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("page", [README, *filter(commands, DOCS)], ids=name_of)
def test_commands_run_in_their_order(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "tests" / "data", tmp_path / "tests" / "data")
    monkeypatch.chdir(tmp_path)
    for line in commands(page):
        code = main(shlex.split(line))
        captured = capsys.readouterr()
        assert code == 0, f"distil {line}\n{captured.err}"


def test_readme_shows_enough_commands() -> None:
    assert len(commands(README)) >= 8


@pytest.mark.slow
def test_python_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
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
    assert line in README.read_text(encoding="utf-8").splitlines()


def test_readme_stays_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 200


def test_every_command_is_shown() -> None:
    text = README.read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"distil {name}" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
