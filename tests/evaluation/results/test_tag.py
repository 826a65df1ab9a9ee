"""A tagger on gold labels that are not its own."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from distilcli.errors import DataWarning, InputError
from distilcli.evaluation.run import evaluate

WORDS = ["the", "film", "movie"]


@pytest.fixture
def rows(tmp_path: Path) -> Callable[..., str]:
    """Return a function that writes sentences of `WORDS` with these tags, and the predicted."""

    def write(gold: str, predicted: str | None = None) -> str:
        row = {"tokens": WORDS, "gold": gold.split()}
        if predicted is not None:
            row["tags"] = predicted.split()
        path = tmp_path / "a.jsonl"
        path.write_text(json.dumps(row) + "\n")
        return str(path)

    return write


@pytest.mark.parametrize(
    ("gold", "listed"),
    [
        ("DET NOUN NOUN", r"none of its labels \(DET, NOUN\)"),
        ("O B-PER I-PER", r"none of its labels \(PER\)"),
    ],
)
def test_labels_of_which_none_is_the_models_are_refused(
    hand_tagger: Path, rows: Callable[..., str], gold: str, listed: str
) -> None:
    with pytest.raises(InputError, match=rf"'gold': {listed} is one of the model's \(ART, DEV\)"):
        evaluate(str(hand_tagger), rows(gold), label_column="gold", device="cpu")


def test_a_label_that_the_model_does_not_have_is_told(
    hand_tagger: Path, rows: Callable[..., str]
) -> None:
    data = rows("B-PER B-ART I-ART")
    with pytest.warns(DataWarning, match="the model does not have PER, so that it misses all"):
        report = evaluate(str(hand_tagger), data, label_column="gold", device="cpu")
    assert (report.metrics["recall"], report.metrics["precision"]) == (0.5, 1)
    report = evaluate(str(hand_tagger), rows("O O O"), label_column="gold", device="cpu")
    assert report.metrics["f1"] == 0


def test_predictions_of_other_labels_are_told(rows: Callable[..., str]) -> None:
    data = rows("DET NOUN VERB", "O B-ART I-ART")
    with pytest.warns(DataWarning, match=r"\(DET, NOUN, VERB\) is ever predicted \(ART\)"):
        report = evaluate(data, label_column="gold")
    assert report.metrics["f1"] == 0
    # To find nothing is no fault of the labels.
    assert evaluate(rows("O B-ART I-ART", "O O O"), label_column="gold").metrics["f1"] == 0


def test_numbers_are_read_in_the_order_of_the_models_labels(
    hand_tagger: Path, rows: Callable[..., str]
) -> None:
    with pytest.warns(DataWarning, match=r"the model's labels \(0 is O, 1 is B-ART, 2 is I-ART"):
        report = evaluate(str(hand_tagger), rows("0 1 2"), label_column="gold", device="cpu")
    assert report.metrics["f1"] == 1
    with pytest.raises(InputError, match="'5' is neither"):
        evaluate(str(hand_tagger), rows("0 1 5"), label_column="gold", device="cpu")
