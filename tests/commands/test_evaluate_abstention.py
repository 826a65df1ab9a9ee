"""Thresholds: found by `evaluate --max-error`, kept, and applied by `classify` and `tag`."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from distilcli import Classifier, evaluate, to_frame
from distilcli.checkpoint.config import read_config
from distilcli.errors import GateError, UsageError
from tests.commands._parse import delimited, json_lines

Distil = Callable[..., tuple[int, str, str]]
MakeModel = Callable[..., Path]
NOUNS = ("film", "movie", "book", "camera", "battery", "plot", "story", "sound")
TEXTS = [f"the {noun} was {word}" for noun in NOUNS for word in ("good", "dull", "slow", "cheap")]
ASKED = ("--max-error", "0.2", "--confidence", "0.9")


@pytest.fixture
def model(tiny_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_folder, tmp_path / "model"))


@pytest.fixture
def gold(model: Path, tmp_path: Path) -> Path:
    """Rows of which the model has the surest two thirds right, and the others wrong."""
    classifier = Classifier(str(model), device="cpu")
    found = sorted(zip(TEXTS, classifier(TEXTS), strict=True), key=lambda pair: -pair[1].score)
    lines = []
    for place, (text, result) in enumerate(found):
        best = result.ranked()[0]
        lines.append(f"{text},{classifier.labels[best if place < 20 else 1 - best]}\n")
    path = tmp_path / "gold.csv"
    path.write_text("text,label\n" + "".join(lines))
    return path


def set_thresholds(model: Path, thresholds: object) -> None:
    path = model / "config.json"
    found = {"thresholds": thresholds, "max_error": 0.2, "confidence": 0.9}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"abstention": found}))


def middle_score(model: Path, texts: list[str]) -> float:
    scores = sorted(one.score for one in Classifier(str(model), device="cpu")(texts))
    return (scores[len(scores) // 2 - 1] + scores[len(scores) // 2]) / 2


def shift(model: Path, *logits: float) -> None:
    """Add numbers to the logits of a model."""
    path = model / "model.safetensors"
    weights = load_file(path)
    save_file(weights | {"classifier.bias": torch.tensor(logits)}, path)


def labels_above_half(model: Path) -> list[list[str]]:
    """Return the labels of each text, the likeliest first."""
    classifier = Classifier(str(model), device="cpu")
    return [
        [classifier.labels[place] for place in one.ranked() if one.scores[place] >= 0.5]
        for one in classifier(TEXTS)
    ]


@pytest.mark.slow
def test_a_threshold_is_found_kept_and_applied(
    distil: Distil, model: Path, gold: Path, tmp_path: Path
) -> None:
    forced = delimited(distil("classify", gold, "-m", model, "--prefix", "p_")[1])
    code, out, err = distil("evaluate", model, gold, *ASKED, "--format", "json")
    assert code == 0, err
    report = json.loads(out)
    threshold = report["metrics"]["threshold"]
    assert f"abstains below a score of {threshold:.4g}, so that at most 20 % of its" in err
    assert report["metrics"]["accuracy"] == pytest.approx(20 / 32)
    (found,) = report["thresholds"]
    assert found["coverage"] == report["metrics"]["coverage"] <= 1
    assert found["error"] == report["metrics"]["answered_error"] < found["error_bound"] <= 0.2
    assert report["risk_coverage"][0]["error"] == pytest.approx(12 / 32)
    config = json.loads((model / "config.json").read_text())
    assert config["abstention"] == {
        "thresholds": threshold, "max_error": 0.2, "confidence": 0.9,
    }  # fmt: skip
    # It is a part of the folder, wherever that goes.
    moved = shutil.copytree(model, tmp_path / "moved")
    code, out, err = distil("classify", gold, "-m", moved, "--prefix", "p_", "--json")
    rows = delimited(out)
    assert code == 0, err
    assert list(rows[0]) == ["text", "label", "p_label", "p_score", "p_abstained"]
    for row, other in zip(rows, forced, strict=True):
        abstains = float(row["p_score"]) < threshold
        assert row["p_score"] == other["p_score"]
        assert row["p_abstained"] == str(abstains).lower()
        assert row["p_label"] == ("" if abstains else other["p_label"])
    summary, left = json.loads(err.splitlines()[-1]), sum(row["p_label"] == "" for row in rows)
    assert 0 < left < 32
    assert summary["abstained_rows"] == summary["counts"]["(abstained)"] == left
    assert sum(summary["counts"].values()) == 32
    assert (
        distil("classify", gold, "-m", moved, "--prefix", "p_", "--no-abstain")[1]
        == (distil("classify", gold, "-m", tmp_path / "model", "--prefix", "p_", "--no-abstain")[1])
    )
    assert delimited(
        distil("classify", gold, "-m", moved, "--prefix", "p_", "--no-abstain")[1]
    ) == forced  # fmt: skip


def test_the_summary_says_how_many(distil: Distil, model: Path) -> None:
    set_thresholds(model, 1.0)
    _, _, err = distil("classify", "-m", model, "--text", "good", "--text", "bad")
    assert "; abstained: 2 rows" in err
    set_thresholds(model, 0.0)
    assert "; abstained" not in distil("classify", "-m", model, "--text", "good")[2]


@pytest.mark.slow
def test_an_error_that_no_threshold_keeps_is_a_gate(
    distil: Distil, model: Path, gold: Path
) -> None:
    before = (model / "config.json").read_bytes()
    code, out, err = distil("evaluate", model, gold, "--max-error", "0.01", "--format", "json")
    assert code == 7
    assert json.loads(out)["thresholds"][0]["threshold"] is None
    assert "no threshold keeps the error at or below 0.01 with a confidence of 0.95" in err
    assert "400 right answers" in err
    assert (model / "config.json").read_bytes() == before
    with pytest.raises(GateError, match="give more rows"):
        evaluate(str(model), str(gold), max_error=0.01)


@pytest.mark.slow
def test_a_score_for_each_label(distil: Distil, model: Path, gold: Path) -> None:
    classifier = Classifier(str(model), device="cpu")
    given = [one.label or "" for one in classifier(TEXTS)]
    rare = min(classifier.labels, key=given.count)
    # Never right with its rarer label, always with the other.
    most = next(label for label in classifier.labels if label != rare)
    gold.write_text("text,label\n" + "".join(f"{text},{most}\n" for text in TEXTS))
    report = evaluate(str(model), str(gold), max_error=0.3, confidence=0.9, per_label=True)
    tables = {table.name: table.records for table in report.tables}
    assert [record["label"] for record in tables["thresholds"]] == ["negative", "positive"]
    found = read_config(model / "config.json").abstention
    assert found is not None
    assert isinstance(found.thresholds, dict)
    assert found.thresholds[rare] is None
    assert isinstance(found.thresholds[most], float)
    assert "threshold" not in report.metrics
    code, _, err = distil("evaluate", model, gold, "--max-error", "0.3", "--per-label")
    assert (code, f"no threshold keeps the error low enough for {rare}: never" in err) == (0, True)
    results = Classifier(str(model), device="cpu")(TEXTS)
    assert {one.label for one in results} == {most, None} - ({None} if rare not in given else set())


def test_several_labels_have_a_score_each(
    distil: Distil, make_model: MakeModel, tmp_path: Path
) -> None:
    model = make_model(labels=("a", "b", "c"), problem_type="multi_label_classification")
    shift(model, 2.0, 1.0, -2.0)
    text, (first, *others) = TEXTS[0], labels_above_half(model)[0]
    assert others == ["b"]
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps({"text": text}) + "\n")
    set_thresholds(model, {**dict.fromkeys("abc", 0.0), first: None})
    (row,) = json_lines(distil("classify", path, "-m", model)[1])
    assert (row["labels"], row["abstained"]) == (others, True)
    # A label that the row does not have is not withheld.
    set_thresholds(model, {"a": 0.0, "b": 0.0, "c": None})
    (row,) = json_lines(distil("classify", path, "-m", model)[1])
    assert (row["labels"], row["abstained"]) == ([first, *others], False)
    code, _, err = distil("classify", path, "-m", model, "--threshold", "0.4")
    assert code == 2
    assert "--threshold: the model has its own thresholds; add --no-abstain" in err
    code, out, _ = distil("classify", path, "-m", model, "--threshold", "0.0", "--no-abstain")
    assert (code, len(json_lines(out)[0]["labels"])) == (0, 3)


@pytest.mark.slow
def test_several_labels_are_decided_one_by_one(
    distil: Distil, make_model: MakeModel, tmp_path: Path
) -> None:
    model = make_model(labels=("a", "b"), problem_type="multi_label_classification")
    shift(model, 2.0, -2.0)
    found = labels_above_half(model)
    path = tmp_path / "gold.jsonl"
    path.write_text(
        "".join(
            json.dumps({"text": text, "labels": names}) + "\n"
            for text, names in zip(TEXTS, found, strict=True)
        )
    )
    report = evaluate(str(model), str(path), max_error=0.3, confidence=0.9)
    tables = {table.name: table.records for table in report.tables}
    assert [record["label"] for record in tables["thresholds"]] == ["a", "b"]
    for record, name in zip(tables["thresholds"], "ab", strict=True):
        assert record["answers"] == (32 if name == "a" else None)
    assert report.metrics["answered_error"] == 0


@pytest.mark.slow
def test_a_new_temperature_removes_thresholds(distil: Distil, model: Path, gold: Path) -> None:
    set_thresholds(model, 0.5)
    code, _, err = distil("evaluate", model, gold, "--calibrate")
    assert code == 0
    assert "thresholds belonged to the old scores and were removed" in err
    config = json.loads((model / "config.json").read_text())
    assert "abstention" not in config
    assert "calibration_temperature" in config


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["evaluate", "{model}", "{gold}", "--max-error", "0"], "give a share between 0 and 1"),
        (["evaluate", "{model}", "{gold}", "--max-error", "2"], "--max-error 2: give a share"),
        (
            ["evaluate", "{model}", "{gold}", "--per-label"],
            "--per-label has no effect without --max-error",
        ),
        (
            ["evaluate", "{model}", "{gold}", "--plot", "p.svg"],
            "--plot has no effect without --max-error",
        ),
        (["evaluate", "{gold}", "--max-error", "0.1"], "--max-error is for a model"),
        (
            ["evaluate", "{model}", "{gold}", "--max-error", "0.1", "--calibrate"],
            "--calibrate changes the scores; run it first, then --max-error",
        ),
        (
            ["evaluate", "{model}", "{gold}", "--max-error", "0.1", "--task", "regress"],
            "--max-error has no effect on the task regress",
        ),
        (
            ["evaluate", "{model}", "{gold}", "--max-error", "0.1", "--task", "multilabel"],
            "is for the task classify, whose thresholds it would keep; leave out --task",
        ),
        (
            ["classify", "{gold}", "-m", "{model}", "--no-abstain"],
            "has no thresholds; leave it out",
        ),
    ],
)
def test_settings_without_effect_are_refused(
    distil: Distil, model: Path, gold: Path, arguments: list[str], words: str
) -> None:
    given = [each.format(model=model, gold=gold) for each in arguments]
    code, out, err = distil(*given)
    assert (code, out) == (2, "")
    assert words in err


@pytest.mark.slow
def test_a_model_of_the_package_stays_as_it_is(distil: Distil, tmp_path: Path) -> None:
    gold = tmp_path / "gold.csv"
    rows = ("i loved it,positive", "a dull mess,negative") * 8
    gold.write_text("\n".join(["text,label", *rows]) + "\n")
    code, _, err = distil("evaluate", "sentiment", gold, "--max-error", "0.3")
    assert code == 0
    assert "sentiment is no folder of yours, so that the thresholds are not saved" in err


@pytest.mark.slow
def test_a_picture_of_the_error(distil: Distil, model: Path, gold: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra [plot]")
    picture = tmp_path / "risk.svg"
    assert distil("evaluate", model, gold, *ASKED, "--plot", picture)[0] == 0
    assert picture.read_text().count("<path") > 3
    code, _, err = distil("evaluate", model, gold, *ASKED, "--plot", picture)
    assert (code, "already exists" in err) == (2, True)


@pytest.mark.slow
def test_predictions_are_measured_where_there_are_any(
    distil: Distil, model: Path, gold: Path, tmp_path: Path
) -> None:
    set_thresholds(model, middle_score(model, TEXTS))
    predictions = tmp_path / "out.csv"
    distil("classify", gold, "-m", model, "-o", predictions)
    rows = delimited(predictions.read_text())
    answered = [row for row in rows if row["predicted_abstained"] == "false"]
    right = sum(row["label"] == row["predicted_label"] for row in answered)
    code, out, err = distil("evaluate", predictions, "--format", "json")
    assert code == 0, err
    report = json.loads(out)
    assert report["evaluated_rows"] == len(answered) == 16
    assert report["metrics"]["accuracy"] == pytest.approx(right / 16)
    assert "the model abstained on 16 rows; the metrics cover the others" in err


@pytest.mark.slow
def test_the_metrics_of_a_model_with_thresholds(distil: Distil, model: Path, gold: Path) -> None:
    plain = json.loads(distil("evaluate", model, gold, "--format", "json")[1])["metrics"]
    set_thresholds(model, middle_score(model, TEXTS))
    code, out, _ = distil(
        "evaluate", model, gold, "--format", "json", "--max", "answered_error=0.1"
    )
    found = json.loads(out)["metrics"]
    assert code == 0
    assert found == plain | {"coverage": 0.5, "answered_error": 0.0}


def test_results_in_python(model: Path) -> None:
    set_thresholds(model, middle_score(model, TEXTS))
    classifier = Classifier(str(model), device="cpu")
    results = classifier(TEXTS)
    left = [one for one in results if one.abstained]
    assert 0 < len(left) < len(TEXTS)
    assert {one.label for one in left} == {None}
    assert all(one.score == max(one.scores) for one in left)
    assert repr(left[0]) == f"Classification(score={left[0].score:.4g}, abstained=True)"
    frame = to_frame(results)
    assert list(frame.columns) == ["label", "score", "abstained"]
    assert frame["label"].isna().tolist() == frame["abstained"].tolist()
    forced = Classifier(str(model), device="cpu", no_abstain=True)
    assert [one.scores for one in forced(TEXTS)] == [one.scores for one in results]
    assert not any(one.abstained for one in forced(TEXTS))
    assert "it abstains below a score of" in classifier.described()
    assert "abstains" not in forced.described()
    # The thresholds of a softmax say nothing of sigmoids.
    assert Classifier(str(model), device="cpu", multi_label=True).abstention is None
    set_thresholds(model, None)
    with pytest.raises(Exception, match="thresholds is None"):
        Classifier(str(model), device="cpu")


def test_a_model_without_thresholds_has_none_to_leave(tiny_folder: Path) -> None:
    with pytest.raises(UsageError, match=r"`no_abstain`: .* has no thresholds"):
        Classifier(str(tiny_folder), device="cpu", no_abstain=True)


def tagged(model: Path, *options: object, distil: Distil, path: Path) -> list[dict[str, object]]:
    return json_lines(distil("tag", path, "-m", model, "--format", "jsonl", *options)[1])


def test_entities_below_their_threshold_stay_without_label(
    distil: Distil, hand_tagger: Path, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(hand_tagger, tmp_path / "tagger"))
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "the film and a camera"}\n{"text": "dull"}\n')
    forced = tagged(model, distil=distil, path=path)
    set_thresholds(model, {"ART": 0.0, "DEV": None})
    first, second = tagged(model, distil=distil, path=path)
    known, unsure = forced[0]["entities"]  # type: ignore[misc]
    assert first["entities"] == [
        {**known, "abstained": False},
        {**unsure, "label": None, "abstained": True},
    ]
    assert (first["abstained"], second["abstained"]) == (True, False)
    assert tagged(model, "--no-abstain", distil=distil, path=path) == forced
    # The thresholds are of the usual aggregation.
    assert "abstained" not in tagged(model, "--aggregation", "max", distil=distil, path=path)[0]
    _, _, err = distil("tag", path, "-m", model, "--format", "jsonl", "--json")
    summary = json.loads(err.splitlines()[-1])
    assert summary["counts"] == {"ART": 1, "(abstained)": 1}
    assert summary["abstained_rows"] == 1
    _, out, _ = distil("tag", path, "-m", model, "--format", "conll")
    assert out.split("\n\n")[0].splitlines() == [
        "# abstained = True", "the O", "film B-ART", "and O", "a O", "camera _",
    ]  # fmt: skip
    assert "abstained" not in out.split("\n\n")[1]
    assert "[camera ?]" in distil("tag", path, "-m", model, "--format", "table")[1]


@pytest.mark.slow
def test_a_threshold_for_entities(distil: Distil, hand_tagger: Path, tmp_path: Path) -> None:
    model = Path(shutil.copytree(hand_tagger, tmp_path / "tagger"))
    words = {"film": "B-ART", "camera": "B-DEV", "book": "O", "the": "O"}
    gold = tmp_path / "gold.conll"
    # Every sentence has two right entities and a wrong one (book); sentences count, not entities.
    gold.write_text("".join(f"{word} {tag}\n" for word, tag in words.items()) + "\n")
    gold.write_text(gold.read_text() * 12)
    code, _, err = distil("evaluate", model, gold, "--task", "tag", "--max-error", "0.2")
    assert code == 7, err
    given = ("--task", "tag", "--max-error", "0.4", "--confidence", "0.9", "--per-label")
    code, out, err = distil("evaluate", model, gold, *given, "--format", "json")
    assert code == 0, err
    report = json.loads(out)
    art, dev = report["thresholds"]
    assert (art["label"], art["threshold"]) == ("ART", None)
    assert (dev["label"], dev["answers"], dev["error"]) == ("DEV", 12, 0)
    assert report["metrics"]["coverage"] == pytest.approx(1 / 3)
    assert report["metrics"]["answered_error"] == 0
    assert report["metrics"]["recall"] == 1
    assert read_config(model / "config.json").abstention is not None
