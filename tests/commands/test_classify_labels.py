import json
from collections.abc import Callable
from pathlib import Path

import pytest

from distilcli.predictors.matcher import LabelMatcher
from tests.commands._parse import delimited, json_lines
from tests.commands.conftest import TEXTS

Distil = Callable[..., tuple[int, str, str]]


def test_labels_are_those_of_the_library(distil: Distil, tiny_folder: Path, csv_file: Path) -> None:
    code, out, err = distil("classify", csv_file, "-m", tiny_folder, "--labels", "good, bad")
    rows = delimited(out)
    assert code == 0
    assert list(rows[0]) == ["id", "text", "label", "score"]
    found = LabelMatcher("good,bad", model=str(tiny_folder), device="cpu")(TEXTS)
    assert [row["label"] for row in rows] == [match.label for match in found]
    assert "not by a trained model" in err


def test_several_sets_in_one_pass(distil: Distil, tiny_folder: Path, csv_file: Path) -> None:
    code, out, err = distil(
        "classify", csv_file, "-m", tiny_folder, "--labels", "mood=good,bad",
        "--labels", "what=film,plot", "--all-scores", "--format", "jsonl", "--json",
    )  # fmt: skip
    assert code == 0
    first = json_lines(out)[0]
    assert list(first)[2:6] == ["mood_label", "mood_score", "mood_score_good", "mood_score_bad"]
    assert list(first)[6:8] == ["what_label", "what_score"]
    assert first["mood_score_good"] + first["mood_score_bad"] == pytest.approx(1)
    summary = json.loads(next(line for line in err.splitlines() if line.startswith("{")))
    assert sum(summary["counts"].values()) == 2 * len(TEXTS)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--multi-label"], "--multi-label has no effect with --labels"),
        (["--threshold", "0.3"], "--threshold has no effect with --labels"),
        (["--pair-column", "id"], "--pair-column has no effect with --labels"),
        (["--labels", "c,d"], "several --labels need a name each"),
    ],
)
def test_refused(
    distil: Distil, tiny_folder: Path, csv_file: Path, options: list[str], says: str
) -> None:
    code, out, err = distil(
        "classify", csv_file, "-m", tiny_folder, "--labels", "good,bad", *options
    )
    assert (code, out) == (2, "")
    assert says in err


def test_a_file_of_labels_that_is_missing(
    distil: Distil, tiny_folder: Path, csv_file: Path
) -> None:
    code, _, err = distil("classify", csv_file, "-m", tiny_folder, "--labels", "none.csv")
    assert code == 3
    assert "none.csv" in err


@pytest.mark.slow
def test_the_built_in_encoder_and_evaluate(distil: Distil, tmp_path: Path) -> None:
    path, out = tmp_path / "news.csv", tmp_path / "out.csv"
    path.write_text(
        "text,topic\nThe striker scored twice in the final,sports\n"
        "Shares fell after the bank cut its forecast,business\n"
    )
    code, _, err = distil(
        "classify", path, "--labels", "sports,business", "-o", out, "--provenance"
    )
    assert code == 0
    assert "model mini" in err
    code, found, _ = distil("evaluate", out, "--label-column", "topic")
    assert code == 0
    assert "accuracy\t1" in found
