"""Every way in which a run can end has its exit code, and one line on stderr at most."""

import errno
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from distilcli import app as module
from distilcli.app import COMMANDS, app, main, register
from distilcli.commands._help import _EXIT_CODES
from distilcli.errors import (
    DistilError,
    GateError,
    InputError,
    ModelError,
    ResourceError,
    RowError,
    UsageError,
)

_raised: list[BaseException] = []


@pytest.fixture(autouse=True)
def _stub() -> Iterator[None]:
    """Register a command that raises what a test puts into `_raised`."""

    register("stub", "Raise.", __name__)
    yield
    del COMMANDS["stub"]
    app.registered_commands.pop()
    _raised.clear()


def stub() -> None:
    if _raised:
        raise _raised.pop()


def _end(error: BaseException) -> int:
    _raised.append(error)
    return main(["stub"])


def test_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stub"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DistilError("why: what; way out"), 1),
        (UsageError("why: what; way out"), 2),
        (InputError("why: what; way out"), 3),
        (RowError("why: what; way out"), 3),
        (ModelError("why: what; way out"), 4),
        (ResourceError("why:\n  what; way out"), 5),
        (GateError("why: what; way out"), 7),
    ],
)
def test_errors_that_users_see(
    capsys: pytest.CaptureFixture[str], error: DistilError, code: int
) -> None:
    assert _end(error) == code
    assert capsys.readouterr() == ("", "distil: error: why: what; way out\n")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: ..."), "out of memory"),
        (RuntimeError("could not create a memory object"), "out of memory; free some"),
        (OSError(errno.ENOSPC, "No space left on device", "out.csv"), "out.csv: no space left"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "no space left"),
        (OSError(errno.EIO, "Input/output error", "in.csv"), "in.csv: Input/output error\n"),
        (OSError(errno.EMFILE, "Too many open files", "a"), "a: too many open files; raise the"),
        (
            RuntimeError("can't start new thread"),
            "cannot start another thread; close other programs",
        ),
        (RuntimeError("unable to mmap 9 bytes: Cannot allocate memory (12)"), "out of memory"),
        (RuntimeError("std::bad_alloc"), "out of memory"),
        (ImportError("libtorch.so: failed to map segment from shared object"), "out of memory"),
        (
            ModuleNotFoundError("No module named 'torch'", name="torch"),
            "a package cannot be loaded",
        ),
    ],
)
def test_resources(capsys: pytest.CaptureFixture[str], error: BaseException, words: str) -> None:
    assert _end(error) == 5
    captured = capsys.readouterr()
    assert captured.err.startswith(f"distil: error: {words}")
    assert captured.err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "error",
    [ValueError("odd"), OSError("odd"), AssertionError("odd"), RuntimeError("odd")],
)
def test_a_bug_shows_its_traceback(capsys: pytest.CaptureFixture[str], error: Exception) -> None:
    assert _end(error) == 1
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "odd" in shown
    assert "please report it" in shown.splitlines()[-1]


def test_a_traceback_on_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISTIL_DEBUG", "1")
    assert _end(InputError("bad")) == 3
    shown = capsys.readouterr().err
    assert shown.startswith("Traceback")
    assert shown.endswith("distil: error: bad\n")


def test_an_interrupt(capsys: pytest.CaptureFixture[str]) -> None:
    assert _end(KeyboardInterrupt()) == 130
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("code", [0, 6, 7])
def test_a_command_may_choose_its_code(code: int) -> None:
    assert _end(module.typer.Exit(code)) == code


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["stub", "--no-such"], "distil stub has no option --no-such; see 'distil stub --help'"),
        (["no-such"], "no command 'no-such'; see 'distil --help'"),
        (["stub", "extra"], "unexpected argument extra"),
        (["params", "--by", "x"], "'x' is not one of 'module', 'layer', 'tensor'"),
    ],
)
def test_usage(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert words in captured.err
    assert "--help'" in captured.err


@pytest.mark.slow
@pytest.mark.parametrize("when", ["while writing", "at the end"])
@pytest.mark.skipif(os.name == "nt", reason="pipes close differently there")
def test_a_closed_pipe(when: str, tmp_path: Path) -> None:
    lines = 100_000 if when == "while writing" else 1
    code = (
        "import sys, distilcli.app as a\n"
        "def stub():\n"
        f"    for _ in range({lines}): sys.stdout.write('line\\n')\n"
        "a.register('stub', 'Write.', '__main__')\n"
        "sys.exit(a.main(['stub']))"
    )
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=pipe, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_stdout() -> None:
    command = [sys.executable, "-m", "distilcli", "--help"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 5
    assert done.stderr == "distil: error: no space left on the disk; free some and run again\n"


def test_a_mistake_in_an_import_is_a_bug(capsys: pytest.CaptureFixture[str]) -> None:
    assert _end(ImportError("cannot import name", name="distilcli.rows")) == 1
    assert "please report it" in capsys.readouterr().err


def test_memory_that_does_not_suffice_to_say_so(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(module, "_as_failure", exhausted)
    assert _end(MemoryError()) == 5
    assert capfd.readouterr().err.startswith("distil: error: out of memory; free some")


@pytest.mark.skipif(os.name == "nt", reason="signals differ there")
@pytest.mark.parametrize("module", ["distilcli.interrupt", "select", "typer", "distilcli.app"])
def test_an_interrupt_during_the_first_imports(module: str) -> None:
    """The program understands Ctrl-C before its own modules are loaded."""
    code = (
        "import os, sys, time\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}: os.kill(os.getpid(), 2); time.sleep(9)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "from distilcli.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


# The cheapest command that ends with each code.
COMMANDS_BY_CODE = {
    0: "tokenize --vocab v.txt --text a",
    2: "tokenize --vocab v.txt --no-such",
    3: "tokenize --vocab v.txt none.csv",
    4: "params none",
    6: "tokenize --vocab v.txt --decode ids.csv",
    7: "evaluate labels.csv --task classify --min accuracy=0.9",
}
SIGNALS_BY_CODE = {129: "SIGHUP", 130: "SIGINT", 143: "SIGTERM"}
BY_OTHER_MEANS = {1, 5, 141}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "v.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n")
    (tmp_path / "ids.csv").write_text("ids\n[4]\nfour\n")
    (tmp_path / "labels.csv").write_text("text,label,predicted_label\nx,a,b\ny,b,b\n")
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _start(arguments: str, **streams: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "distilcli", *arguments.split()]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **streams)


def test_each_code_that_is_documented_is_reached() -> None:
    guide = (Path(__file__).parents[2] / ".github/docs/files.md").read_text(encoding="utf-8")
    section = guide.partition("## Exit codes")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([\d, ]+) \|", section, re.MULTILINE)
    codes = {int(code) for row in rows for code in row.split(",")}
    assert codes == COMMANDS_BY_CODE.keys() | SIGNALS_BY_CODE.keys() | BY_OTHER_MEANS
    in_help = re.findall(r"\b\d+\b", str(_EXIT_CODES))
    assert {*map(int, in_help)} == codes - {1}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("code", [0, 2, 3, 4, 6, pytest.param(7, marks=pytest.mark.slow)])
def test_a_command_ends_with_each_code(code: int) -> None:
    process = _start(COMMANDS_BY_CODE[code], stdout=subprocess.PIPE)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert err.count("error:") == (code not in {0, 6})


def test_a_bug_ends_with_1() -> None:
    code = "import distilcli.app as app, distilcli.__main__ as program; app._load = 0; "
    command = [sys.executable, "-c", f"{code}program.main()", "params"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")


@pytest.mark.skipif(os.name == "nt", reason="signals differ there")
@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("code", SIGNALS_BY_CODE)
def test_a_signal_on_a_silent_pipe_ends_with_each_code(code: int) -> None:
    pipe = subprocess.PIPE
    with _start("tokenize --vocab v.txt -", stdin=pipe, stdout=pipe) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("text\na\n")
        process.stdin.flush()
        assert process.stdout.readline() + process.stdout.readline()
        process.send_signal(getattr(signal, SIGNALS_BY_CODE[code]))
        assert process.wait(timeout=60) == code
        assert process.stdout.read() == ""
        assert process.stderr is not None
        assert process.stderr.read() == "distil: tokenizer v.txt: 5 tokens, uncased\n"


@pytest.mark.skipif(os.name == "nt", reason="pipes close differently there")
@pytest.mark.usefixtures("folder")
def test_a_closed_pipe_ends_with_141() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = _start("tokenize --vocab v.txt --text a -q", stdout=writer)
    os.close(writer)
    assert process.communicate(timeout=60) == (None, "")
    assert process.returncode == 141
