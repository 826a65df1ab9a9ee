"""`--precision` and `--min-agreement`, which every command that runs a model has."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from distilcli.commands import _file_run
from distilcli.findings import cache_folder
from distilcli.model import int8
from distilcli.predictors import base, precision
from distilcli.predictors.agreement import Agreement
from tests.commands._parse import delimited

Distil = Callable[..., tuple[int, str, str]]
TEXTS = ["i loved the film", "it was dull and slow", "good acting , bad plot", "the plot is fun"]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    labels = ["positive", "negative", "positive", "positive"]
    pairs = zip(TEXTS, labels, strict=True)
    path.write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in pairs))
    return path


@pytest.fixture
def noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Activations of no meaning, so that int8 says what it likes."""
    quantised = int8._quantised

    def shuffled(x: torch.Tensor, largest: torch.Tensor) -> int8.Codes:
        codes = quantised(x, largest)
        return int8.Codes(codes.values.flip(2).bitwise_xor_(255), codes.scale * 50)

    monkeypatch.setattr(int8, "_quantised", shuffled)


def test_int8_says_how_far_it_agrees(distil: Distil, tiny_folder: Path, csv_file: Path) -> None:
    command = ("classify", csv_file, "-m", tiny_folder, "--precision", "int8", "--prefix", "new-")
    code, out, err = distil(*command, "--min-agreement", "0", "--stats", "stats.json")
    assert code == 0
    assert len(delimited(out)) == len(TEXTS)
    assert " in int8 " in err
    stats = json.loads(Path("stats.json").read_text())
    assert stats["precision"] == "int8"
    assert stats["agreement_rows"] == len(TEXTS)
    assert 0 <= stats["agreement"] <= 1
    share = f"{stats['agreement']:.1%}"
    assert f"int8 agrees with fp32 on {share} of {len(TEXTS)} rows\n" in err


def test_evaluate_says_it_too(distil: Distil, tiny_folder: Path, csv_file: Path) -> None:
    code, _, err = distil(
        *("evaluate", tiny_folder, csv_file, "--precision", "int8", "--min-agreement", "0"),
        *("--stats", "stats.json"),
    )
    assert code == 0
    assert "int8 agrees with fp32 on " in err
    assert json.loads(Path("stats.json").read_text())["agreement_rows"] == len(TEXTS)


@pytest.mark.usefixtures("noise")
def test_int8_that_says_something_else_is_refused_and_nothing_is_written(
    distil: Distil, tiny_folder: Path, csv_file: Path
) -> None:
    command = ("embed", csv_file, "-m", tiny_folder, "--precision", "int8", "-o", "out.npy")
    code, _, err = distil(*command)
    assert code == 4
    assert err.count("\n") == 2  # the model's line, then the error's
    assert "int8 agrees with fp32 on " in err
    assert "use --precision fp32, or lower --min-agreement" in err
    assert not Path("out.npy").exists()
    assert distil(*command, "--min-agreement", "0")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--min-agreement", "0.9"), 2, "--min-agreement is for int8; add --precision int8"),
        (("--precision", "fp16", "--device", "cpu"), 5, "--precision fp16 is for accelerators"),
        (("--precision", "tf32", "--device", "cpu"), 5, "--precision tf32 is for CUDA devices"),
    ],
)
def test_what_cannot_be_had_is_refused_in_a_line(
    distil: Distil,
    tiny_folder: Path,
    csv_file: Path,
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    found, out, err = distil("classify", csv_file, "-m", tiny_folder, *arguments)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert message in err


def test_a_cpu_without_kernels_is_told_to_be_slow(
    distil: Distil, tiny_folder: Path, csv_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (int8, __import__("distilcli.predictors.base", fromlist=["predictor"])):
        monkeypatch.setattr(place, "has_kernel", lambda: False)
    code, _, err = distil(
        *("classify", csv_file, "-m", tiny_folder, "--precision", "int8", "--min-agreement", "0")
    )
    assert code == 0
    assert "in int8 (no int8 kernels here: slower than fp32)" in err


@pytest.fixture
def fast_int8(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which int8 is twice as fast as fp32."""
    monkeypatch.setattr(precision, "layer_seconds", lambda *_: {"fp32": 1.0, "int8": 0.5})


@pytest.fixture
def long_file(tmp_path: Path) -> Path:
    """A file with enough rows for a verdict on int8."""
    path = tmp_path / "long.csv"
    path.write_text("text\n" + "".join(f'"{TEXTS[n % 4]}"\n' for n in range(150)))
    return path


@pytest.mark.usefixtures("fast_int8")
def test_auto_says_in_a_line_what_it_took(
    distil: Distil, tiny_folder: Path, long_file: Path
) -> None:
    command = ("classify", long_file, "-m", tiny_folder, "--precision", "auto", "--stats", "s.json")
    for _ in range(2):
        code, out, err = distil(*command, "--min-agreement", "0.5")
        assert code == 0
        assert err.count(" on cpu in int8, 2.0 times as fast as fp32 here (") == 1
        assert json.loads(Path("s.json").read_text())["precision"] == "int8"
        again = distil("classify", long_file, "-m", tiny_folder, "--precision", "int8", "-q")
        assert out == again[1]


@pytest.mark.usefixtures("fast_int8", "noise")
def test_auto_goes_back_to_fp32_if_the_rows_disagree(
    distil: Distil, tiny_folder: Path, long_file: Path
) -> None:
    command = ("embed", long_file, "-m", tiny_folder)
    _, expected, _ = distil(*command)
    code, out, err = distil(*command, "--precision", "auto", "--stats", "s.json")
    assert (code, out) == (0, expected)
    assert err.count("; running in fp32\n") == 1
    assert json.loads(Path("s.json").read_text())["precision"] == "fp32"
    code, out, err = distil(*command, "--precision", "auto")
    assert (code, out) == (0, expected)
    assert (
        " in fp32, the fastest here (without int8, which disagreed with fp32 in an earlier run)"
        in err
    )
    assert "warning" not in err


@pytest.mark.slow
@pytest.mark.parametrize("command", ["classify", "embed"])
def test_a_cache_changes_no_byte(
    distil: Distil, tiny_folder: Path, long_file: Path, command: str
) -> None:
    run = (command, long_file, "-m", tiny_folder, "--precision", "int8", "--min-agreement", "0.1")
    for deterministic in ((), ("--deterministic",)):
        cold, warm = distil(*run, *deterministic), distil(*run, *deterministic)
        assert (cold[0], cold[1]) == (warm[0], warm[1])
        assert " of an earlier run\n" in warm[2]
        shutil.rmtree(cache_folder())


@pytest.mark.usefixtures("noise")
def test_a_bad_verdict_is_remembered_and_says_how_to_check_again(
    distil: Distil, tiny_folder: Path, long_file: Path
) -> None:
    command = ("embed", long_file, "-m", tiny_folder, "--precision", "int8", "-o", "out.npy")
    assert distil(*command)[0] == 4
    code, _, err = distil(*command)
    assert (code, err.count("\n")) == (4, 1)
    assert "rows of an earlier run; 99.0% required; use --precision fp32, or lower" in err
    Path(err.split("or remove ")[1].split(" to check again")[0]).unlink()
    assert "of an earlier run" not in distil(*command)[2]


@pytest.mark.usefixtures("fast_int8")
def test_a_cache_that_cannot_be_used_costs_one_line(
    distil: Distil,
    tiny_folder: Path,
    long_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    command = ("classify", long_file, "-m", tiny_folder, "--precision", "auto")
    command = (*command, "--min-agreement", "0.5")
    first = distil(*command)
    for path in cache_folder().rglob("*.json"):
        path.write_text("{")
    code, out, err = distil(*command)
    assert (code, out) == first[:2]
    assert err.count("json: damaged; ignored\n") == 2  # the speed and the verdict
    assert "warning" not in distil(*command)[2]
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("a file")
    code, out, err = distil(*command)
    assert (code, out) == first[:2]
    assert err.count("warning: ") == err.count("so nothing is remembered\n") == 1


def test_a_run_that_auto_began_is_continued_in_its_precision_only(
    distil: Distil, tiny_folder: Path, long_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distilcli.commands._unfinished import Unfinished

    seen = []
    identity = Unfinished.identity
    monkeypatch.setattr(Unfinished, "ended", lambda self, *_: seen.append(identity(self)))
    for speed in (0.5, 2.0):
        seconds = {"fp32": 1.0, "int8": speed}
        monkeypatch.setattr(precision, "layer_seconds", lambda *_, found=seconds: found)
        command = ("classify", long_file, "-m", tiny_folder, "--precision", "auto")
        assert distil(*command, "--min-agreement", "0.1", "-o", "o.csv", "--force")[0] == 0
        shutil.rmtree(cache_folder())
    difference = seen[0].difference(seen[1])
    assert str(difference) == "`precision` was 'int8' and is 'fp32'"


@pytest.mark.usefixtures("fast_int8")
def test_rows_wait_for_the_verdict_however_small_the_windows_are(
    distil: Distil, tiny_folder: Path, long_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of 3 kB consists of blocks of 1 KiB, which have a window each."""
    add = Agreement.add
    monkeypatch.setattr(Agreement, "add", lambda self, _: add(self, 1.0 if self.rows < 60 else 0.0))
    command = ("embed", long_file, "-m", tiny_folder)
    _, expected, _ = distil(*command)
    code, out, err = distil(*command, "--precision", "auto")
    assert (code, out) == (0, expected)
    assert "; running in fp32" in err
    shutil.rmtree(cache_folder())
    code, out, _ = distil(*command, "--precision", "int8")
    assert (code, out) == (4, "")


@pytest.mark.parametrize(
    ("command", "arguments", "hints"),
    [
        ("classify", (), 1),
        ("classify", ("-q",), 0),
        ("classify", ("--json",), 0),
        ("classify", ("--precision", "fp32"), 0),
        ("classify", ("--deterministic",), 0),
        ("evaluate", (), 1),
        ("evaluate", ("-q",), 0),
        ("evaluate", ("--json",), 0),
    ],
)
def test_a_long_run_in_fp32_hints_at_auto_once(
    distil: Distil,
    tiny_folder: Path,
    csv_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    arguments: tuple[str, ...],
    hints: int,
) -> None:
    monkeypatch.setattr(base, "reduced_precisions", lambda device: ["int8"])
    rows = {"classify": (csv_file, "-m", tiny_folder), "evaluate": (tiny_folder, csv_file)}
    run = (command, *rows[command], "--device", "cpu", *arguments)
    assert "--precision auto may be faster here" not in distil(*run)[2]
    monkeypatch.setattr(_file_run, "_LONG_SECONDS", -1)
    assert distil(*run)[2].count("--precision auto may be faster here") == hints
    monkeypatch.setattr(base, "reduced_precisions", lambda device: [])
    assert "--precision auto" not in distil(*run)[2]
