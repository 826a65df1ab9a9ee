"""`--precision` and `--min-agreement`, which every command that runs a model has."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from distilcli.model import int8
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
