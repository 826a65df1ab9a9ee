"""The scripts in completions/ are what the program says today, and the shells understand them."""

import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from distilcli.app import COMMANDS, main
from distilcli.checkpoint.locate import builtin_names

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "completions"
FILES = {"bash": FOLDER / "distil.bash", "zsh": FOLDER / "_distil", "fish": FOLDER / "distil.fish"}
PARSE = {"bash": "-n", "zsh": "-n", "fish": "--no-execute"}


def run_in(shell: str, *arguments: str) -> list[str]:
    """Return the lines that a shell prints; it must have nothing to complain of."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    command = [program, *arguments]
    settings = os.environ | {"LC_ALL": "C.UTF-8"}  # bash complains of a locale that is not there
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env=settings
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def in_bash(*words: str) -> list[str]:
    """Press Tab at the end of the last word, as bash has cut them."""
    script = (
        'source completions/distil.bash; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _distil; '
        '((${#COMPREPLY[@]} == 0)) || printf "%s\\n" "${COMPREPLY[@]}"'
    )
    return run_in("bash", "--norc", "-c", script, "bash", *words)


def in_fish(line: str) -> dict[str, str]:
    """Press Tab at the end of the line; return what is offered, with its help."""
    script = 'source completions/distil.fish; complete -C "$argv[1]"'
    offered = (each.partition("\t") for each in run_in("fish", "--no-config", "-c", script, line))
    return {word: described for word, _, described in offered}


def in_zsh(line: str, expected: str, home: Path) -> str:
    """Press Tab twice at the end of the line, in a terminal; return what it shows by then."""
    program = shutil.which("zsh")
    if program is None:
        pytest.skip("zsh is not installed")
    import pty

    ours, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "dumb", "PS1": "> "}
    shell = subprocess.Popen(
        [program, "-f", "-i", "+m"],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, env=environment,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        setup = f"fpath=({FOLDER} $fpath); autoload -Uz compinit; compinit -u -D; print re''ady\n"
        os.write(ours, setup.encode())
        assert "ready" in _shown(ours, until="ready")
        os.write(ours, f"{line}\t\t".encode())
        return _shown(ours, until=expected)
    finally:
        shell.kill()
        shell.wait()
        os.close(ours)


def _shown(terminal: int, *, until: str) -> str:
    seen, deadline = "", time.monotonic() + 20
    while until not in seen and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            seen += os.read(terminal, 65_536).decode(errors="replace")
    return seen


@pytest.mark.parametrize("shell", FILES)
def test_the_files_are_what_the_command_prints(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completions", shell]) == 0
    name = FILES[shell].relative_to(ROOT).as_posix()
    assert FILES[shell].read_text(encoding="utf-8") == capsys.readouterr().out, (
        f"{name} is out of date; run: distil completions {shell} > {name}"
    )


@pytest.mark.parametrize("shell", FILES)
def test_the_shell_parses_its_script(shell: str) -> None:
    assert run_in(shell, PARSE[shell], str(FILES[shell])) == []


@pytest.mark.parametrize("arguments", [[], ["tcsh"]])
def test_a_shell_must_be_named(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completions", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("distil: error: ")
    assert captured.err.count("\n") == 1
    assert all(shell in captured.err for shell in FILES)


@pytest.mark.slow
def test_nothing_heavy_is_loaded() -> None:
    code = (
        "import sys; from distilcli.app import main; main(['completions', 'fish']); "
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "pandas", "numpy", "tokenizers", "rich"} & set(done.stderr.split())


def test_bash_completes_commands() -> None:
    assert in_bash("distil", "cl") == ["classify", "clean"]
    assert in_bash("distil", "") == sorted(COMMANDS)
    assert in_bash("distil", "--v") == ["--version"]


def test_bash_completes_options_and_their_values() -> None:
    assert in_bash("distil", "classify", "--out") == ["--output"]
    assert in_bash("distil", "tokenize", "--un") == ["--uncased"]
    assert in_bash("distil", "classify", "--on-error", "") == ["keep", "skip", "stop"]
    assert in_bash("distil", "classify", "--on-error", "s") == ["skip", "stop"]
    assert in_bash("distil", "completions", "") == ["bash", "zsh", "fish"]


def test_bash_completes_a_value_after_an_equals_sign() -> None:
    assert in_bash("distil", "classify", "--on-error", "=") == ["keep", "skip", "stop"]
    assert in_bash("distil", "classify", "--on-error", "=", "st") == ["stop"]


def test_bash_completes_models_files_and_folders() -> None:
    assert in_bash("distil", "classify", "tests/da") == ["tests/data"]
    assert in_bash("distil", "classify", "--output", "README") == ["README.md"]
    assert in_bash("distil", "finetune", "x.csv", "-o", "README") == []
    assert in_bash("distil", "classify", "--model", "dist") == ["distilcli"]
    for model in builtin_names():
        assert model in in_bash("distil", "params", "")
        assert model in in_bash("distil", "finetune", "-m", "")


def test_bash_offers_nothing_where_anything_may_stand() -> None:
    assert in_bash("distil", "classify", "--limit", "") == []


def test_bash_takes_what_follows_two_dashes_for_files() -> None:
    assert in_bash("distil", "classify", "--", "--out") == []
    assert "README.md" in in_bash("distil", "classify", "--", "--on-error", "")


def test_fish_completes_commands() -> None:
    assert in_fish("distil ") == {name: each.summary.rstrip(".") for name, each in COMMANDS.items()}
    assert list(in_fish("distil cl")) == ["classify", "clean"]


def test_fish_completes_options_and_their_values() -> None:
    assert in_fish("distil classify --out") == {
        "--output": "Write the rows to FILE; its suffix sets the format"
    }
    assert list(in_fish("distil classify --on-error ")) == ["keep", "skip", "stop"]
    assert list(in_fish("distil classify --on-error=st")) == ["--on-error=stop"]
    assert in_fish("distil classify --limit ") == {}


def test_fish_completes_models_files_and_folders() -> None:
    assert list(in_fish("distil classify tests/da")) == ["tests/data/"]
    assert list(in_fish("distil classify -o README")) == ["README.md"]
    assert in_fish("distil finetune x.csv -o README") == {}
    assert set(builtin_names()) <= set(in_fish("distil params "))
    assert {"tests/", *builtin_names()} <= set(in_fish("distil classify --model "))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("distil cl", "classify"),
        ("distil classify --out", "--output"),
        ("distil classify --on-error ", "keep  skip  stop"),
        ("distil classify --on-error=st", "--on-error=stop"),
        ("distil classify README", "README.md"),
        ("distil params sen", "sentiment"),
        ("distil tokenize --unc", "--uncased"),
        ("distil classify --l", "Read only the first N rows"),
    ],
)
def test_zsh_completes(line: str, expected: str, tmp_path: Path) -> None:
    assert expected in in_zsh(line, expected, tmp_path)
