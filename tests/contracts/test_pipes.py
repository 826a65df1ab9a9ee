"""`distil` in a shell pipeline: rows at once, whole rows only, quiet ends."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from distilcli.app import main
from tests.commands._parse import delimited, json_lines

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="signals and pipes differ there"),
    pytest.mark.slow,
]

ROWS = 12_000  # three windows, and more than a pipe holds


@pytest.fixture
def start(tiny_folder: Path, tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Return a function that starts `distil classify` with the tiny model in a process."""

    def start(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "distilcli", "classify", "-m", str(tiny_folder)]
        return subprocess.Popen(
            [*command, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(Path.cwd())},
        )

    return start


@pytest.fixture
def many_rows(tmp_path: Path) -> Path:
    path = tmp_path / "many.jsonl"
    row = json.dumps({"text": "good", "note": "x" * 61})
    path.write_text(f"{row}\n" * ROWS)
    return path


def _finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def _written_beside(path: Path) -> int:
    """Return how much is in the temporary files beside a file."""
    return sum(each.stat().st_size for each in path.parent.iterdir() if each != path)


def test_a_reader_that_stops_early(
    start: Callable[..., subprocess.Popen[str]], many_rows: Path
) -> None:
    with start(many_rows) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["text"] == "good"
        process.stdout.close()
        err = process.stderr.read()
    assert process.returncode == 141
    assert [line for line in err.splitlines() if not line.startswith("distil: model ")] == []


def test_a_live_pipe_and_an_interrupt(start: Callable[..., subprocess.Popen[str]]) -> None:
    with start("-") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for text in ("text,n", "good,1"):
            process.stdin.write(f"{text}\n")
        process.stdin.flush()
        # The first row is out before the second was written.
        head = process.stdout.readline() + process.stdout.readline()
        assert [row["text"] for row in delimited(head)] == ["good"]
        process.stdin.write("bad\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith("bad,")
        process.send_signal(signal.SIGINT)
        # The pipe stays open: the interrupt alone ends the run.
        assert process.wait(timeout=60) == 130
        assert process.stdout.read() == ""
        assert process.stderr is not None
        *others, last = process.stderr.read().splitlines()
    assert "distil: warning: stdin: line 3: 1 cell where the header has 2" in others
    assert last.startswith("distil: warning: interrupted after 2 rows; those were written in full")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_interrupt_leaves_whole_rows(
    start: Callable[..., subprocess.Popen[str]],
    many_rows: Path,
    monkeypatch: pytest.MonkeyPatch,
    unbuffered: str,
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    process = start(many_rows)
    assert process.stdout is not None
    # Straight from the pipe: `communicate` does not know of what a text layer has read ahead.
    first = os.read(process.stdout.fileno(), 1000).decode()
    # The rest of the block waits in a full pipe when the signal comes.
    process.send_signal(signal.SIGINT)
    code, out, err = _finish(process)
    rows = json_lines(first + out)
    assert code == 130
    assert 0 < len(rows) < ROWS
    assert all("score" in row for row in rows)
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_leaves_no_file(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, number: int, expected: int
) -> None:
    (tmp_path / "out.csv").write_text("mine")
    process = start("-", "-o", "out.csv", "--force")
    assert process.stdin is not None
    # More rows than the file's buffer holds: once some are on the disk, the run is on its way.
    process.stdin.write("text\n" + "good\n" * ROWS)
    process.stdin.flush()
    deadline = time.monotonic() + 60
    while not _written_beside(tmp_path / "out.csv") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _written_beside(tmp_path / "out.csv") > 0
    process.send_signal(number)
    code, out, err = _finish(process)
    assert (code, out) == (expected, "")
    assert "Traceback" not in err
    assert "out.csv was not written" in err
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert (tmp_path / "out.csv").read_text() == "mine"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams(tmp_path: Path, tiny_folder: Path, closed: str) -> None:
    (tmp_path / "a.csv").write_text("text\ngood\n")
    script = f'"$0" -m distilcli classify -m "$1" "$2" {closed}'
    command = ["sh", "-c", script, sys.executable, str(tiny_folder), str(tmp_path / "a.csv")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == (0 if closed == "2>&-" else 5), done.stderr
    assert bool(done.stdout) == (closed == "2>&-")
    assert ("standard output: cannot be written" in done.stderr) == (closed == ">&-")


@pytest.mark.parametrize("output_format", ["auto", "table", "csv", "jsonl", "json"])
def test_no_colours_where_there_is_no_terminal(
    distil: Callable[..., tuple[int, str, str]],
    tiny_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    output_format: str,
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    run = ("classify", "-m", tiny_folder, "--text", "good", "--format", output_format)
    _, out, err = distil(*run)
    assert "\x1b" not in out + err


def test_stdout_takes_what_its_encoding_has_not(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ["classify", "-m", str(tiny_folder), "-q", "--text", "good \U0001f600", "--format"]
    found = {}
    for output_format in ("table", "jsonl"):
        stdout = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main([*run, output_format]) == 0
        found[output_format] = stdout.buffer.getvalue()
    assert b"good \\U0001f600" in found["table"]
    # Data are UTF-8, whatever the terminal has.
    assert json.loads(found["jsonl"])["text"] == "good \U0001f600"
