"""Help and the header-only commands start without the heavy packages."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkpoint._files import distilbert, write_model

HEAVY = {"torch", "pandas", "numpy", "tokenizers", "safetensors", "huggingface_hub", "rich"}

PROBE = """
import sys
from distilcli.app import main
code = main(sys.argv[1:])
print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
sys.exit(code)
"""


def _loaded_by(*arguments: str) -> set[str]:
    command = [sys.executable, "-c", PROBE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], [], ["params", "--help"], ["tokenize", "--help"]]
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    loaded = _loaded_by(*arguments)
    assert "distilcli" in loaded
    # What Typer itself imports to parse a command line is not needed to print help either.
    assert not loaded & (HEAVY | {"click", "pydantic"})


def test_help_does_not_load_what_the_commands_stand_on() -> None:
    code = (
        "import sys; from distilcli.app import main; main(['--help']); "
        "print(*(name for name in sys.modules if name.startswith('distilcli.')), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    surface = ("app", "commands", "errors", "interrupt", "memory", "processes")
    names = (name.removeprefix("distilcli.") for name in done.stderr.split())
    assert [name for name in names if not name.startswith(surface)] == []


def test_params_reads_headers_alone(tmp_path: Path) -> None:
    folder = write_model(tmp_path, distilbert())
    loaded = _loaded_by("params", str(folder))
    assert not loaded & (HEAVY | {"click"})


@pytest.mark.slow
def test_tokenize_never_loads_torch(tmp_path: Path) -> None:
    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n")
    for mode in ([], ["--statistics"], ["--diff", "wordpiece"], ["--format", "table"]):
        loaded = _loaded_by("tokenize", "--vocab", str(vocabulary), "--text", "a b", *mode)
        assert not loaded & {"torch", "pandas", "numpy", "safetensors", "huggingface_hub"}


def test_only_a_table_needs_rich(tmp_path: Path) -> None:
    folder = write_model(tmp_path, distilbert())
    loaded = _loaded_by("params", str(folder), "--format", "table")
    assert loaded & HEAVY == {"rich"}


def test_the_library_is_imported_without_anything_heavy() -> None:
    code = "import sys, distilcli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & (HEAVY | {"typer"})


def test_help_lists_every_command() -> None:
    from distilcli import app, commands

    files = Path(commands.__file__).parent.glob("[a-z]*.py")
    assert sorted(path.stem for path in files) == sorted(app.COMMANDS)


def test_a_command_loads_no_other() -> None:
    code = (
        "import sys; from distilcli.app import main; main(['params', '--help']); "
        "print(*(n for n in sys.modules if n.startswith('distilcli.commands.')), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.rpartition(".")[2] for name in done.stderr.split()}
    assert loaded == {"params", "_declare", "_help", "_option_groups"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["classify", "none.csv"], "none.csv: no such file"),
        (["classify", "--text", "a", "--topk", "2"], "did you mean --top-k?"),
        (["classify", "--text", "a", "--batch", "none"], "--batch is not a whole number"),
        (["classify", "--text", "a", "-m", "sentimet"], "did you mean the built-in 'sentiment'?"),
        (["classify", "--text", "a", "-m", "entities"], "entities is for: distil tag"),
        (["tag", "--text", "a", "-m", "sentiment"], "sentiment is for: distil classify"),
        (["fill", "--text", "a", "-m", "qa"], "qa is for: distil qa"),
        (["classify", "--text", "a", "-o", "there.csv"], "already exists; use --force"),
        (["classify", "--text", "a", "-c", "none", "--stats", "."], "is a folder"),
        (["classify", "there.csv", "-c", "none"], "no column 'none'"),
        (["classify", "--text", "a", "--device", "warp"], "--device warp: known are"),
        (["classify", "--text", "a", "--stride", "4"], "--stride is for windows"),
        (["classify", "--text", "a", "--min-agreement", "1"], "--min-agreement is for int8"),
        (["tag", "--text", "a", "--aggregation", "mean"], "--aggregation"),
        (["choose", "-m", "x", "--option", "a", "--text", "a"], "there is only one --option"),
        (["qa", "--question", "a"], "nothing to read"),
        (["embed", "--search", "a"], "name them with --index"),
        (["embed", "--text", "a", "-o", "there.npy"], "there.npy: already exists"),
        (["bench", "--seq", "0"], "--seq must be at least 1; see 'distil bench --help'"),
        (["bench", "--limit", "1"], "--limit is for rows; add --dataset"),
        (["tokenize", "--decode", "--train"], "--decode and --train do not go together"),
        (["choose"], "--model is missing; see 'distil choose --help'"),
        (["classify", "--limit"], "--limit needs a value; see 'distil classify --help'"),
        (["params", "a", "b"], "unexpected argument b; see 'distil params --help'"),
        (["params", "--by", "x"], "--by: 'x' is not one of 'module', 'layer', 'tensor'"),
        (["classify", "--text", "a", "--precision", "fp8"], "'fp8' is not one of 'auto', 'fp32'"),
        (
            ["classify", "--text", "a", "--precision", "auto", "--deterministic"],
            "--deterministic needs the same precision in every run",
        ),
        (["classify", "there.csv", "-c", "none", "--dry-run"], "no column 'none'"),
        (["classify", "there.csv", "--labels", "none.csv"], "none.csv: no such file"),
        (["classify", "there.csv", "--labels", "a,b", "-c", "none"], "no column 'none'"),
        (["embed", "there.csv", "-c", "none"], "no column 'none'"),
        (["qa", "there.csv", "--question", "a", "--context-column", "none"], "no column 'none'"),
        (["evaluate", "sentiment", "there.csv", "--label-column", "none"], "no column 'none'"),
        (["evaluate", "sentiment", "there.csv", "--text-column", "none"], "no column 'none'"),
        (["evaluate", "there.csv", "--label-column", "none"], "no column 'none'"),
        (["evaluate", "none", "there.csv", "--offline"], "none"),
        (["clean", "there.csv", "--label-column", "none"], "no column 'none'"),
        (["clean", "there.csv", "-c", "none"], "no column 'none'"),
        (["finetune", "there.csv", "-o", "out", "--text-column", "none"], "no column 'none'"),
        (["bench", "--precision", "auto"], "'auto' is none of fp32, tf32"),
        (["bench", "--sweep", "rows=1"], "rows=1"),
        (["ner"], "did you mean 'distil tag'?"),
    ],
)
def test_an_error_that_needs_no_torch_does_not_load_it(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    for name in ("there.csv", "there.npy"):
        (tmp_path / name).write_text("text\na\n")
    command = [sys.executable, "-c", PROBE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    *_, error, loaded = done.stderr.splitlines()
    assert done.returncode in {2, 3, 4}
    assert words in error
    assert not set(loaded.split()) & {"torch", "numpy", "pandas"}
