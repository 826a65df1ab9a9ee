"""`evaluate` for Python gives the report of the command, and refuses what the command refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distilcli.errors import InputError, UsageError
from distilcli.evaluation.run import evaluate

MakeModel = Callable[..., Path]

ROWS = [("the film was good", "positive"), ("a dull plot", "negative"), ("i loved it", "negative")]


@pytest.fixture
def reviews(tmp_path: Path) -> str:
    path = tmp_path / "reviews.csv"
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in ROWS))
    return str(path)


def test_the_report_is_that_of_the_command(
    distil: Callable[..., Any], tiny_folder: Path, reviews: str
) -> None:
    report = evaluate(str(tiny_folder), reviews, device="cpu")
    code, out, _ = distil("evaluate", tiny_folder, reviews, "--format", "json")
    assert code == 0
    assert report.as_dict() == json.loads(out)
    assert report.rows == 3


def test_settings_of_every_kind(tiny_folder: Path, reviews: str) -> None:
    report = evaluate(
        str(tiny_folder), [reviews], label_map={"positive": "negative"}, by="label", limit=2,
        confidence=0.9, max_length=16, precision="fp32", device="cpu",
    )  # fmt: skip
    assert report.rows == 2
    assert [part.name for part in report.slices] == ["positive", "negative"]
    assert report.intervals


def test_rows_in_memory(tiny_folder: Path, reviews: str) -> None:
    rows = [{"text": text, "label": label} for text, label in ROWS]
    expected = evaluate(str(tiny_folder), reviews, device="cpu").as_dict()
    assert evaluate(str(tiny_folder), rows, device="cpu").as_dict() == expected


def test_columns_are_joined_as_for_the_command(
    distil: Callable[..., Any], tiny_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("title,body,label\nfilm,good,positive\nplot,very dull,negative\n")
    given = {"text_column": "title,body", "join": " and not ", "device": "cpu"}
    report = evaluate(str(tiny_folder), str(path), **given)  # type: ignore[arg-type]
    command = ("--text-column", "title,body", "--join", " and not ", "--format", "json")
    assert report.as_dict() == json.loads(distil("evaluate", tiny_folder, path, *command)[1])
    rows = [
        {"title": "film", "body": "good", "label": "positive"},
        {"title": "plot", "body": "very dull", "label": "negative"},
    ]
    in_memory = evaluate(str(tiny_folder), rows, **given)  # type: ignore[arg-type]
    assert in_memory.as_dict() == report.as_dict()
    given["join"] = " "
    other = evaluate(str(tiny_folder), str(path), **given)  # type: ignore[arg-type]
    assert other.as_dict() != report.as_dict()


def test_predictions_with_their_gold_labels(tmp_path: Path) -> None:
    path = tmp_path / "found.csv"
    path.write_text("label,gold\na,a\nb,a\n")
    assert evaluate(str(path), label_column="gold").metrics["accuracy"] == 0.5


def test_rows_of_another_task_are_refused(qa_folder: Path, reviews: str) -> None:
    with pytest.raises(InputError, match="no column 'question'"):
        evaluate(str(qa_folder), reviews)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threshold": 0.5}, "`threshold` has no effect on the task classify, only on multilabel"),
        ({"prefix": "p"}, "`prefix` is for predictions in a file, not for a model"),
        ({"stride": 4}, "`stride` is for windows; add `long` window"),
        ({"task": "ner"}, "`task` ner: the tasks are classify"),
    ],
)
def test_settings_that_make_no_sense(
    tiny_folder: Path, reviews: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        evaluate(str(tiny_folder), reviews, **settings)


def test_a_model_needs_data(tiny_folder: Path) -> None:
    with pytest.raises(UsageError, match=r"is a model: also give the data to evaluate it on$"):
        evaluate(str(tiny_folder))


def test_settings_of_a_model_are_refused_for_predictions(reviews: str) -> None:
    with pytest.raises(UsageError, match="`device` is for a model, not for predictions"):
        evaluate(reviews, reviews, device="cpu")
    with pytest.raises(UsageError, match="`min_agreement` is for a model"):
        evaluate(reviews, reviews, min_agreement=0.5)


@pytest.mark.parametrize("subject", ["model", "predictions"])
def test_a_setting_that_there_is_not(tiny_folder: Path, reviews: str, subject: str) -> None:
    named = str(tiny_folder) if subject == "model" else reviews
    with pytest.raises(TypeError, match=r"^evaluate\(\) has no setting 'devise'$"):
        evaluate(named, reviews, devise="cpu")  # type: ignore[call-arg]
