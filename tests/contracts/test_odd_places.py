"""Full disks, closed streams, few files, folders that are gone: one line, and nothing half-written.

All through the real process, with the command that is quickest to start.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of Linux alone")

ROWS = 2_000


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (tmp_path / "v.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n")
    (folder / "a.csv").write_text("text\n" + "a a a\n" * ROWS)
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.chdir(folder)
    return folder


def said(script: str) -> tuple[int, str, str]:
    """Run a line of bash in which `distil` runs `tokenize`; return exit code and streams."""
    command = f"{sys.executable} -m distilcli tokenize --vocab ../v.txt"
    done = subprocess.run(
        ["bash", "-c", script.replace("distil", command)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "script",
    [
        "distil a.csv -o out.csv 2>/dev/full",
        "distil a.csv -o out.csv 2>&-",
        "distil a.csv -o out.csv <&- >&- 2>&-",
        "distil a.csv -o out.csv 2> >(exit)",
        "HOME=/nonexistent TMPDIR=/nonexistent distil a.csv -o out.csv -q",
        "env -u HOME distil a.csv -o out.csv -q",
        "ulimit -n 12; distil a.csv -o out.csv -q",
        "cat a.csv | distil /dev/stdin -o out.csv -q",
        "distil <(cat a.csv) -o out.csv -q",
        "mkfifo p.csv; cat a.csv >p.csv & distil p.csv -o out.csv -q; rm p.csv",
        "distil a.csv --format csv -o >(cat >out.csv) -q; wait $!",
        "distil a.csv --format csv -o /dev/stdout -q | cat >out.csv",
        "mkfifo p.csv; cat p.csv >out.csv & distil a.csv -o p.csv -q; wait; rm p.csv",
    ],
)
def test_a_run_does_without(script: str, folder: Path) -> None:
    assert said(script) == (0, "", "")
    assert (folder / "out.csv").read_text().count("\n") == ROWS + 1
    assert sorted(path.name for path in folder.iterdir()) == ["a.csv", "out.csv"]


@pytest.mark.parametrize(
    ("script", "code", "line"),
    [
        ("distil a.csv >/dev/full", 5, "standard output: cannot be written: No space left"),
        ("distil a.csv -o /dev/full --format csv", 5, "/dev/full: cannot be written: No space"),
        ("ulimit -f 9; distil a.csv -o out.csv", 5, "out.csv: cannot be written: File too large"),
        ("ulimit -f 9; distil a.csv -o out.db::t", 5, "out.db: cannot be written: "),
        ("distil - <&-", 3, "stdin: is closed; there is nothing to read"),
        ("distil none.csv -o out.csv 2>/dev/full", 3, ""),
        ("distil a.csv -o none/out.csv", 2, "none/out.csv: there is no folder 'none'"),
        ("cd ..; mkdir n; cd n; rmdir ../n; distil --text a", 5, "the current folder is gone; "),
    ],
)
def test_what_is_lacking_is_one_line(script: str, code: int, line: str, folder: Path) -> None:
    status, _, err = said(f"{script.replace('distil', 'distil -q')}")
    assert status == code, err
    assert line in err
    assert err.count("\n") == bool(line)
    assert [path.name for path in folder.iterdir()] == ["a.csv"]


def test_a_summary_that_cannot_be_written_is_a_failure() -> None:
    command = [sys.executable, "-m", "distilcli", "tokenize", "-m", "sentiment", "--text", "a"]
    with Path(os.devnull).open("wb") as nowhere, Path("/dev/full").open("wb") as full:
        done = subprocess.run([*command, "--json"], stdout=nowhere, stderr=full, check=False)
    assert done.returncode == 5
