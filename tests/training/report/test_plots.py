import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distilcli.commands._finetune_options import RunOutput
from distilcli.commands._option_groups import Report
from distilcli.errors import ResourceError, UsageError
from distilcli.pictures import check_plot
from distilcli.scores.calibration import Bin
from distilcli.training.report.panels import sort_curves
from distilcli.training.report.plots import RunPicture, most_confused, plot_run

HISTORY = [
    {"step": 10, "epoch": 0, "train_loss": 0.7, "accuracy": 0.5, "macro_f1": 0.4, "best": True},
    {"step": 20, "epoch": 1, "train_loss": 0.5, "accuracy": 0.8, "macro_f1": 0.7, "best": True},
    {"step": 30, "epoch": 2, "train_loss": 0.4, "accuracy": 0.7, "macro_f1": 0.7, "best": False},
]
BINS = [
    Bin(0.0, 0.5, count=0, confidence=0.0, accuracy=0.0),
    Bin(0.5, 0.75, count=3, confidence=0.6, accuracy=0.5),
    Bin(0.75, 1.0, count=1, confidence=0.9, accuracy=1.0),
]


def drawn(path: Path, **changes: Any) -> str:
    """What a picture says: in an SVG each text is a comment beside its shapes."""
    pytest.importorskip("matplotlib", reason="needs the extra [plot]")
    plot_run(RunPicture(**{"title": "my run", "history": HISTORY, **changes}), str(path))
    return path.read_text("utf-8")


def test_curves_are_sorted_by_what_they_measure() -> None:
    history = [
        {"step": 1, "train_loss": 2.0, "valid_loss": 3.0, "f1": 0.5, "perplexity": 20.0},
        {"step": 2, "train_loss": 1.0, "f1": float("nan"), "perplexity": 9, "note": "x"},
    ]
    losses, shares, others = sort_curves(history)
    assert losses.series == {"train_loss": [(1, 2.0), (2, 1.0)], "valid_loss": [(1, 3.0)]}
    assert shares.series == {"f1": [(1, 0.5)]}
    assert others.series == {"perplexity": [(1, 20.0), (2, 9)]}
    assert losses.best_step is None
    assert [found.best_step for found in sort_curves(HISTORY)] == [20, 20]


@pytest.mark.slow
def test_a_run_of_which_all_is_known(tmp_path: Path) -> None:
    text = drawn(
        tmp_path / "p.svg", labels=["no", "$y_e$s"], confusion=[[3, 1], [0, 2]], reliability=BINS
    )
    for words in (
        "my run", "Loss", "train loss 0.5", "accuracy 0.8", "macro-F1 0.7", "best: step 20",
        "Reliability of the scores", "calibration error 0.100",
        "Confusion between labels", "$y_e$s", "predicted",
    ):  # fmt: skip
        assert f"<!-- {words} -->" in text


def test_a_panel_of_which_nothing_is_known_is_left_out(tmp_path: Path) -> None:
    text = drawn(tmp_path / "p.svg", reliability=BINS[:1])
    assert "<!-- Loss -->" in text
    assert "Reliability" not in text
    assert "Confusion" not in text


@pytest.mark.slow
def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"labels": "ab", "confusion": [[3, 1], [0, 2]], "reliability": BINS}
    first = drawn(tmp_path / "a.svg", **settings)
    assert drawn(tmp_path / "b.svg", **settings) == first
    assert "<dc:date>" not in first


@pytest.mark.slow
@pytest.mark.parametrize("n_labels", [2, 8, 20, 31])
def test_pictures_hold_any_number_of_labels(tmp_path: Path, n_labels: int) -> None:
    labels = [f"label {n}" for n in range(n_labels)]
    text = drawn(tmp_path / "p.svg", labels=labels, confusion=np.eye(n_labels, dtype=int) * 7)
    shown = sum(text.count(f"<!-- {label} -->") for label in labels)
    assert shown == 2 * min(n_labels, 30)  # at either side
    assert ("<!-- 7 -->" in text) == (n_labels <= 15)
    assert ("the 30 most confused of 31" in text) == (n_labels == 31)


def test_the_most_confused_labels() -> None:
    confusion = np.array([[5, 0, 0, 0], [0, 9, 0, 2], [1, 0, 3, 0], [0, 2, 0, 0]])
    assert most_confused(confusion, 2) == [1, 3]
    assert most_confused(confusion, 3) == [0, 1, 3]
    assert most_confused(confusion) == [0, 1, 2, 3]


def test_a_png(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra [plot]")
    check_plot(str(tmp_path / "p.PNG"), force=False)
    plot_run(RunPicture(title="x", history=HISTORY[:1]), str(tmp_path / "p.PNG"))
    assert (tmp_path / "p.PNG").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["p.PNG"]


def test_a_picture_in_the_folder_that_the_run_makes(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra [plot]")
    folder = tmp_path / "run"
    RunOutput(output=str(folder), plot=str(folder / "p.svg")).check(Report(dry_run=True))
    with pytest.raises(UsageError, match="there is no folder"):
        RunOutput(output=str(folder), plot=str(tmp_path / "other" / "p.svg")).check(
            Report(dry_run=True)
        )
    folder.mkdir()
    (folder / "p.svg").touch()
    with pytest.raises(UsageError, match="already exists"):
        RunOutput(output=str(folder), plot=str(folder / "p.svg")).check(Report(dry_run=True))


def test_a_label_that_the_font_lacks_is_no_cause_to_complain(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn(tmp_path / "p.svg", labels=["好", "坏"], confusion=[[1, 0], [0, 1]])


def test_a_picture_that_cannot_be_written_is_an_error_of_resources(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"p.svg: cannot be written: No such file"):
        drawn(tmp_path / "missing" / "p.svg")
