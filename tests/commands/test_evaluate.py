"""`distil evaluate`: the figures are those of the library, and what cannot be meant is one line."""

import csv
import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from distilcli.predictors.answerer import Answerer
from distilcli.predictors.chooser import Chooser
from distilcli.predictors.classifier import Classifier
from distilcli.predictors.embedder import Embedder
from distilcli.predictors.mask_filler import MaskFiller
from distilcli.predictors.tagger import Tagger
from distilcli.scores.answers import answer_scores
from distilcli.scores.classification import classification_scores
from distilcli.scores.entities import entity_scores
from distilcli.scores.regression import pearson
from tests.commands._parse import delimited, json_lines

Distil = Callable[..., tuple[int, str, str]]
MakeModel = Callable[..., Path]

TEXTS = ["the film was good", "a dull plot", "i loved it", "poor sound", "the book works", "boring"]
LABELS = ["positive", "negative", "positive", "negative", "positive", "negative"]
PAIRS = list(zip(TEXTS, LABELS, strict=True))


def figures(out: str) -> dict[str, float]:
    return {
        row["metric"]: float(row["value"]) if row["value"] else float("nan")
        for row in csv.DictReader(out.splitlines(), delimiter="\t")
    }


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    lines = [f"{text},{label},{'ab'[n % 2]}" for n, (text, label) in enumerate(PAIRS)]
    return written(tmp_path / "reviews.csv", "\n".join(["text,label,source", *lines]) + "\n")


def test_a_classifier(distil: Distil, tiny_folder: Path, reviews: Path) -> None:
    code, out, err = distil("evaluate", tiny_folder, reviews, "--json")
    classifier = Classifier(str(tiny_folder), device="cpu")
    labels = classifier.labels
    predicted = [labels.index(one.label or "") for one in classifier(TEXTS)]
    expected = classification_scores(list(map(labels.index, LABELS)), predicted, n_labels=2)
    assert code == 0
    found = figures(out)
    assert found["accuracy"] == pytest.approx(expected.accuracy, abs=1e-4)
    assert found["matthews"] == pytest.approx(expected.matthews, abs=1e-4)
    assert {"auc", "ece", "precision", "recall", "macro_f1", "micro_f1"} < set(found)
    summary = json.loads(err.splitlines()[-1])
    assert summary["task"] == "classify"
    assert summary["evaluated_rows"] == summary["rows"] == 6
    assert summary["confusion"] == [list(row) for row in expected.confusion]
    assert sum(one["count"] for one in summary["reliability"]) == 6
    assert "task classify" in err


@pytest.mark.parametrize("form", ["csv", "jsonl", "tsv", "json"])
def test_predictions_score_as_their_model(
    distil: Distil, tiny_folder: Path, reviews: Path, tmp_path: Path, form: str
) -> None:
    predictions = tmp_path / f"out.{form}"
    assert distil("classify", reviews, "-m", tiny_folder, "-o", predictions)[0] == 0
    _, by_model, _ = distil("evaluate", tiny_folder, reviews)
    code, alone, err = distil("evaluate", predictions)
    assert (code, alone) == (0, by_model)
    assert "task classify" in err
    assert distil("evaluate", predictions, reviews)[1] == by_model


@pytest.mark.slow
def test_predictions_of_more_labels_need_all_scores_for_auc(
    distil: Distil, make_model: MakeModel, tmp_path: Path
) -> None:
    model = make_model(labels=("a", "b", "c"))
    golds = ["a", "b", "c", "a", "b", "c"]
    data = written(
        tmp_path / "data.csv",
        "text,label\n" + "".join(f"{t},{g}\n" for t, g in zip(TEXTS, golds, strict=True)),
    )
    bare, full = tmp_path / "bare.csv", tmp_path / "full.csv"
    distil("classify", data, "-m", model, "-o", bare, "--top-k", 2)
    distil("classify", data, "-m", model, "-o", full, "--all-scores")
    assert "auc" not in figures(distil("evaluate", bare)[1])
    assert distil("evaluate", full)[1] == distil("evaluate", model, data)[1]
    code, _, err = distil("evaluate", bare, "--min", "auc=0.1")
    assert code == 7
    assert "auc is undefined" in err


def test_several_labels_and_their_threshold(
    distil: Distil, make_model: MakeModel, tmp_path: Path
) -> None:
    model = make_model(labels=("a", "b"), problem_type="multi_label_classification")
    data = written(
        tmp_path / "data.jsonl",
        "".join(
            json.dumps({"text": text, "labels": golds}) + "\n"
            for text, golds in zip(TEXTS, [["a"], ["a", "b"], [], ["b"], ["b"], ["a"]], strict=True)
        ),
    )
    code, out, err = distil("evaluate", model, data, "--threshold-search")
    assert code == 0
    assert "task multilabel" in err
    best = figures(out)["best_threshold"]
    at_best = figures(distil("evaluate", model, data, "--threshold", best)[1])
    assert at_best["micro_f1"] == pytest.approx(figures(out)["best_micro_f1"], abs=0.02)
    predictions = tmp_path / "out.jsonl"
    distil("classify", data, "-m", model, "-o", predictions, "--all-scores")
    assert distil("evaluate", predictions)[1] == distil("evaluate", model, data)[1]


def test_regression(distil: Distil, make_model: MakeModel, tmp_path: Path) -> None:
    model = make_model(labels=("LABEL_0",), problem_type="regression")
    rows = [f"{text},{number}" for number, text in enumerate(TEXTS)]
    data = written(tmp_path / "data.csv", "text,target\n" + "\n".join(rows) + "\n")
    code, out, _ = distil("evaluate", model, data)
    scores = [one.score for one in Classifier(str(model), device="cpu")(TEXTS)]
    assert code == 0
    correlation = pearson(np.arange(6.0), np.array(scores))
    assert figures(out)["pearson"] == pytest.approx(correlation, abs=1e-4)
    numbers = written(tmp_path / "numbers.txt", "".join(f"{score}\n" for score in scores))
    alone = distil("evaluate", numbers, data, "--task", "regress")
    assert figures(alone[1]) == pytest.approx(figures(out), abs=1e-4)


def test_pairs_of_texts(distil: Distil, make_model: MakeModel, tmp_path: Path) -> None:
    model = make_model(head="BaseModel", labels=(), problem_type=None)
    pairs = list(itertools.pairwise(TEXTS))
    rows = [f"{one},{other},{n % 3}" for n, (one, other) in enumerate(pairs)]
    data = written(tmp_path / "pairs.csv", "sentence1,sentence2,score\n" + "\n".join(rows) + "\n")
    code, out, err = distil("evaluate", model, data)
    vectors = Embedder(str(model), device="cpu")(TEXTS).astype(float)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = (vectors[:-1] * vectors[1:]).sum(axis=1)
    assert code == 0, err
    expected = pearson(np.arange(5) % 3.0, cosines)
    assert figures(out)["pearson"] == pytest.approx(expected, abs=1e-4)
    assert list(figures(out)) == ["pearson", "spearman"]


SQUAD = {
    "data": [
        {
            "title": "t",
            "paragraphs": [
                {
                    "context": "the film was good and the book was dull",
                    "qas": [
                        {
                            "id": "1",
                            "question": "what was good",
                            "answers": [{"text": "the film", "answer_start": 0}],
                        },
                        {"id": "2", "question": "what was fast", "answers": []},
                        {
                            "id": "3",
                            "question": "what was dull",
                            "answers": [{"text": "the book", "answer_start": 22}],
                        },
                    ],
                }
            ],
        }
    ]
}
QUESTIONS = ["what was good", "what was fast", "what was dull"]
GOLDS = [["the film"], [], ["the book"]]


def test_answers_to_questions(distil: Distil, qa_folder: Path, tmp_path: Path) -> None:
    data = written(tmp_path / "dev.json", json.dumps(SQUAD))
    code, out, err = distil("evaluate", qa_folder, data)
    context = SQUAD["data"][0]["paragraphs"][0]["context"]
    answers = Answerer(str(qa_folder), device="cpu")([(q, context) for q in QUESTIONS])
    expected = answer_scores(GOLDS, [one.answer for one in answers])
    assert code == 0, err
    assert figures(out)["f1"] == pytest.approx(expected.f1, abs=1e-4)
    by_ids, rows = tmp_path / "by_ids.json", tmp_path / "rows.jsonl"
    distil("qa", data, "-m", qa_folder, "-o", rows, "--squad-predictions", by_ids)
    # Answers by ids have no scores to set a threshold on.
    without = [line for line in out.splitlines() if not line.startswith("best_")]
    assert distil("evaluate", by_ids, data)[1].splitlines() == without
    assert distil("evaluate", rows, data)[1] == out
    assert distil("evaluate", rows)[1] == out


def test_a_threshold_for_no_answer(distil: Distil, qa_folder: Path, tmp_path: Path) -> None:
    data = written(tmp_path / "dev.json", json.dumps(SQUAD))
    _, out, _ = distil("evaluate", qa_folder, data, "--threshold", 0)
    assert figures(out)["f1"] == pytest.approx(1 / 3, abs=1e-4)  # nothing is ever answered
    found = figures(distil("evaluate", qa_folder, data, "--threshold-search")[1])
    assert found["best_f1"] >= max(found["f1"], 0.3333)


def test_the_threshold_of_the_model_for_no_answer(
    distil: Distil, qa_folder: Path, tmp_path: Path
) -> None:
    data = written(tmp_path / "dev.json", json.dumps(SQUAD))
    model = tmp_path / "model"
    shutil.copytree(qa_folder, model)
    config = json.loads((model / "config.json").read_text())
    written(model / "config.json", json.dumps(config | {"no_answer_threshold": 0}))
    assert figures(distil("evaluate", model, data)[1])["f1"] == pytest.approx(1 / 3, abs=1e-4)
    always = ("--threshold", 1)
    # The best threshold is found among all answers, also those that the model would not give.
    assert (
        distil("evaluate", model, data, *always)[1]
        == distil("evaluate", qa_folder, data, *always)[1]
    )


def by_ids(tmp_path: Path, answers: dict[str, str]) -> Path:
    return written(tmp_path / "by_ids.json", json.dumps(answers))


def test_perfect_answers_by_ids(distil: Distil, tmp_path: Path) -> None:
    data = written(tmp_path / "dev.json", json.dumps(SQUAD))
    answers = by_ids(tmp_path, {"3": "book.", "1": "Film", "2": ""})
    assert figures(distil("evaluate", answers, data)[1]) == {
        "exact_match": 1.0,
        "f1": 1.0,
        "HasAns_exact": 1.0,
        "HasAns_f1": 1.0,
        "NoAns_exact": 1.0,
        "NoAns_f1": 1.0,
    }


def test_questions_without_a_prediction_are_counted_and_told(
    distil: Distil, tmp_path: Path
) -> None:
    data = written(tmp_path / "dev.json", json.dumps(SQUAD))
    answers = by_ids(tmp_path, {"3": "book.", "2": ""})
    code, out, err = distil("evaluate", answers, data, "--json", "-q")
    assert code == 6
    assert figures(out)["exact_match"] == 1.0
    assert f"warning: {answers}: 1 row has no prediction; not counted" in err
    summary = json.loads(err.splitlines()[-1])
    assert (summary["evaluated_rows"], summary["failed_rows"], summary["HasAns_total"]) == (2, 1, 1)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"1": "a", "2": "", "3": "b", "4": "c"}, "1 id is not in"),
        ({"1": 5}, "not an object of answers by ids"),
    ],
)
def test_ids_that_do_not_match(
    distil: Distil, tmp_path: Path, answers: dict[str, str], words: str
) -> None:
    data = written(tmp_path / "dev.json", json.dumps(SQUAD))
    code, out, err = distil("evaluate", by_ids(tmp_path, answers), data, "-q")
    assert (code, out) == (3, "")
    assert words in err
    assert err.count("\n") == 1


def test_predictions_left_over_are_fine_with_a_limit(distil: Distil, tmp_path: Path) -> None:
    data = written(tmp_path / "dev.json", json.dumps(SQUAD))
    answers = by_ids(tmp_path, {"1": "the film", "2": "x", "3": "y"})
    assert figures(distil("evaluate", answers, data, "--limit", 1)[1])["f1"] == 1.0


CONLL = "film X B-ART\nmovie X I-ART\n. X O\n\ncamera X B-DEV\nbook X O\n\n"


def test_tags_of_words(distil: Distil, hand_tagger: Path, tmp_path: Path) -> None:
    data, tagged = written(tmp_path / "dev.conll", CONLL), tmp_path / "tagged.conll"
    code, out, err = distil("evaluate", hand_tagger, data, "--json")
    sentences = [["film", "movie", "."], ["camera", "book"]]
    expected = [["B-ART", "I-ART", "O"], ["B-DEV", "O"]]
    tags = Tagger(str(hand_tagger), device="cpu").tag_words(sentences)
    scores = entity_scores(expected, [[tag or "O" for tag in one] for one in tags])
    assert code == 0, err
    assert figures(out)["f1"] == pytest.approx(scores.micro.f1, abs=1e-4)
    types = json.loads(err.splitlines()[-1])["types"]
    assert [one["type"] for one in types] == ["ART", "DEV"]
    distil("tag", data, "-m", hand_tagger, "-o", tagged)
    assert distil("evaluate", tagged)[1] == out
    assert distil("evaluate", tagged, data)[1] == out


def test_tags_in_lists(distil: Distil, hand_tagger: Path, tmp_path: Path) -> None:
    rows = [
        {"tokens": ["film", "movie", "."], "tags": ["B-ART", "I-ART", "O"]},
        {"tokens": ["camera", "book"], "tags": ["B-DEV", "O"]},
    ]
    data = written(tmp_path / "dev.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    conll = written(tmp_path / "dev.conll", CONLL)
    assert distil("evaluate", hand_tagger, data)[1] == distil("evaluate", hand_tagger, conll)[1]


def test_perplexity(distil: Distil, mlm_folder: Path, tmp_path: Path) -> None:
    data = written(tmp_path / "lines.txt", "\n".join(TEXTS[:3]) + "\n")
    code, out, err = distil("evaluate", mlm_folder, data, "--max", "perplexity=1e9")
    found = MaskFiller(str(mlm_folder), device="cpu").pseudo_perplexity(TEXTS[:3])
    surprise = sum(np.log(one.pseudo_perplexity) * one.n_tokens for one in found)
    expected = float(np.exp(surprise / sum(one.n_tokens for one in found)))
    assert code == 0, err
    assert figures(out)["perplexity"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("answers", [[1, 0], ["1", "0"], ["very bad", "but"], ["B", "a"]], ids=str)
def test_choices(
    distil: Distil, choice_folder: Path, tmp_path: Path, answers: list[object]
) -> None:
    problems = [("the film was", ["good", "very bad"]), ("i loved it", ["but", "slow"])]
    rows = [
        {"prompt": prompt, "options": options, "label": gold}
        for (prompt, options), gold in zip(problems, answers, strict=True)
    ]
    data = written(tmp_path / "dev.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    code, out, err = distil("evaluate", choice_folder, data)
    chosen = [one.choice_index for one in Chooser(str(choice_folder), device="cpu")(problems)]
    assert code == 0, err
    expected = ((chosen[0] == 1) + (chosen[1] == 0)) / 2
    assert figures(out)["accuracy"] == pytest.approx(expected)
    predictions = tmp_path / "out.jsonl"
    distil("choose", data, "-m", choice_folder, "-o", predictions)
    assert figures(distil("evaluate", predictions)[1]) == pytest.approx(figures(out), abs=1e-4)
    # Predictions alone, beside rows in which the options stand by other names.
    renamed = data.read_text().replace("options", "choices")
    alone = [json.loads(line) for line in predictions.read_text().splitlines()]
    for row in alone:
        del row["options"], row["label"]
    written(tmp_path / "alone.jsonl", "".join(json.dumps(row) + "\n" for row in alone))
    rows = written(tmp_path / "renamed.jsonl", renamed)
    found = distil(
        "evaluate", tmp_path / "alone.jsonl", rows, "--options-column", "choices"
    )  # fmt: skip
    assert found[0] == 0, found[2]
    assert figures(found[1]) == pytest.approx(figures(out), abs=1e-4)


@pytest.mark.slow
def test_choices_that_are_not_said_in_one_way(
    distil: Distil, choice_folder: Path, tmp_path: Path
) -> None:
    for answers, line in ((["B", "0"], 2), (["B", "C"], 2), (["A", "but"], 2), (["9", "A"], 1)):
        rows = [{"prompt": "it was", "options": ["but", "slow"], "label": gold} for gold in answers]
        data = written(tmp_path / "dev.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        code, _, err = distil("evaluate", choice_folder, data)
        assert code == 3
        assert f"dev.jsonl: line {line}, column 'label': {answers[line - 1]!r} is neither" in err


def test_another_sign_between_labels(distil: Distil, tiny_folder: Path, tmp_path: Path) -> None:
    text = 'labels,gold\n"[""a"", ""b""]",a|b\n"[""b""]",b\n"[""a""]",a\n'
    found = written(tmp_path / "found.csv", text)
    run = ("evaluate", found, "--task", "multilabel", "--label-column", "gold")
    assert figures(distil(*run, "--label-separator", "|")[1])["accuracy"] == 1
    code, out, err = distil(*run)
    assert figures(out)["accuracy"] == pytest.approx(2 / 3, abs=1e-4)  # one cell of three has it
    assert "no row has two labels; if 'a|b' is more than one, name what separates them" in err
    written(found, text.replace(']",a\n', ']",a|a\n'))
    code, out, err = distil(*run)
    assert figures(out)["accuracy"] == 1
    assert "warning: " in err
    assert "labels are separated by '|'" in err
    code, _, err = distil("evaluate", tiny_folder, found, "--label-separator", "|")
    assert code == 2
    assert "--label-separator has no effect on the task classify, only on multilabel" in err


def test_intervals(distil: Distil, tiny_folder: Path, reviews: Path) -> None:
    code, out, _ = distil("evaluate", tiny_folder, reviews, "--confidence", 0.9)
    rows = delimited(out, "\t")
    assert code == 0
    for row in rows:
        if row["metric"] in {"accuracy", "macro_f1"}:
            assert float(row["low"]) <= float(row["value"]) <= float(row["high"])


def test_slices(distil: Distil, tiny_folder: Path, reviews: Path) -> None:
    _, out, _ = distil("evaluate", tiny_folder, reviews, "--by", "source", "--confidence", 0.9)
    rows = [row for row in delimited(out, "\t") if row["metric"] == "accuracy"]
    assert [(row["slice"], row["rows"]) for row in rows] == [("", "6"), ("a", "3"), ("b", "3")]
    whole, a, b = (float(row["value"]) for row in rows)
    assert whole == pytest.approx((a + b) / 2, abs=1e-4)
    document = json.loads(
        distil("evaluate", tiny_folder, reviews, "--by", "source", "--format", "json")[1]
    )
    assert [one["slice"] for one in document["slices"]] == ["a", "b"]


def test_undefined_figures_of_slices_are_empty(
    distil: Distil, tiny_folder: Path, tmp_path: Path
) -> None:
    lines = [f"{text},{label},{label[0]}" for text, label in PAIRS]
    data = written(tmp_path / "data.csv", "\n".join(["text,label,source", *lines]) + "\n")
    _, out, _ = distil("evaluate", tiny_folder, data, "--by", "source")
    of_slices = [row["value"] for row in delimited(out, "\t") if row["slice"]]
    assert "nan" not in of_slices
    assert "" in of_slices  # auc, where there is one label only
    _, out, _ = distil("evaluate", tiny_folder, data, "--by", "source", "--format", "json")
    assert None in json.loads(out)["slices"][0].values()


def test_tables_for_people(distil: Distil, tiny_folder: Path, reviews: Path) -> None:
    _, out, _ = distil(
        "evaluate", tiny_folder, reviews, "--by", "source", "--format", "table", "-q"
    )
    for title in ("6 rows", "by label", "expected by predicted", "by source"):
        assert title in out


def test_worst_rows(distil: Distil, tiny_folder: Path, reviews: Path, tmp_path: Path) -> None:
    path = tmp_path / "wrong.csv"
    assert distil("evaluate", tiny_folder, reviews, "--errors", path)[0] == 0
    rows = delimited(path.read_text())
    values = dict(zip(TEXTS, Classifier(str(tiny_folder), device="cpu")(TEXTS), strict=True))
    wrong = {t for t, gold in zip(TEXTS, LABELS, strict=True) if values[t].label != gold}
    assert {row["text"] for row in rows} == wrong
    assert list(rows[0]) == ["text", "label", "source", "predicted", "expected", "score"]
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert all(row["expected"] == row["label"] != row["predicted"] for row in rows)
    code, _, err = distil("evaluate", tiny_folder, reviews, "--errors", path)
    assert code == 2
    assert "use --force" in err
    assert distil("evaluate", tiny_folder, reviews, "--errors", path, "--force")[0] == 0


def test_gates(distil: Distil, tiny_folder: Path, reviews: Path) -> None:
    code, out, err = distil("evaluate", tiny_folder, reviews, "--min", "accuracy=1.1", "-q")
    assert code == 7
    assert "accuracy" in figures(out)  # figures come out all the same
    assert err.count("\n") == 1
    assert "gate failed: accuracy is" in err
    gates = ["--min", "accuracy=0", "--max", "ece=1"]
    assert distil("evaluate", tiny_folder, reviews, *gates)[0] == 0


def test_unknown_metrics_are_told_before_the_model_is_loaded(
    distil: Distil, tiny_folder: Path, reviews: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny_folder, broken)
    (broken / "model.safetensors").write_bytes(b"nothing")
    code, out, err = distil("evaluate", broken, reviews, "--min", "f1=0.5")
    assert (code, out) == (2, "")
    assert "the metrics here are accuracy, precision" in err


@pytest.mark.slow
def test_a_temperature_is_saved_and_used(
    distil: Distil, tiny_folder: Path, reviews: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(tiny_folder, model)
    before = Classifier(str(model), device="cpu")(TEXTS)
    code, out, err = distil("evaluate", model, reviews, "--calibrate", "--format", "json")
    assert code == 0, err
    temperature = json.loads(out)["metrics"]["temperature"]
    config = json.loads((model / "config.json").read_text())
    assert config.pop("calibration_temperature") == pytest.approx(temperature)
    assert config == json.loads((tiny_folder / "config.json").read_text())
    after = Classifier(str(model), device="cpu")(TEXTS)
    for one, other in zip(before, after, strict=True):
        powers = np.array(one.scores) ** (1 / temperature)
        assert other.scores == pytest.approx(powers / powers.sum(), rel=1e-3, abs=1e-6)
    # Calibrated again on the same rows it stays as it is.
    again = json.loads(distil("evaluate", model, reviews, "--calibrate", "--format", "json")[1])
    assert again["metrics"]["temperature"] == pytest.approx(temperature, rel=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["sentiment", "{data}", "--calibrate"], 2, "a built-in model, so it stays as it is"),
        (["{data}", "--calibrate"], 2, "--calibrate is for a model, not for predictions"),
        (
            ["{qa}", "{squad}", "--calibrate"],
            2,
            "--calibrate has no effect on the task qa, only on classify and multilabel",
        ),
        (["{model}"], 2, "is a model: also give the data to evaluate it on"),
        (
            ["{model}", "{data}", "--threshold", "0.5"],
            2,
            "--threshold has no effect on the task classify, only on multilabel and qa",
        ),
        (["{qa}", "{squad}", "--by", "nope"], 3, "no column 'nope'"),
        (["{tag}", "{conll}", "--threshold-search"], 2, "no effect on the task tag"),
        (["{model}", "{data}", "--confidence", "95"], 2, "give a share between 0 and 1"),
        (["{model}", "{data}", "--map", "zero"], 2, "write LABEL=NAME"),
        (["{model}", "{data}", "--map", "0=bad"], 2, "the model has no label 'bad'"),
        (["{model}", "{data}", "--label-column", "source"], 3, "the model has no label 'a'"),
        (["{model}", "{data}", "--label-column", "lable"], 3, "did you mean 'label'?"),
        (["{model}", "{text}"], 3, "no label column beside"),
        (["{model}", "{data}", "--task", "regress"], 2, "is for another task"),
        (["{qa}", "{unanswered}"], 3, "no answer is given"),
        (["{base}", "{data}"], 4, "has no head that could be evaluated"),
        (["{base}", "{data}", "--task", "classify"], 4, "has no trained classification head"),
        (["nothing.csv"], 3, "nothing.csv: no such file"),
        (["{data}", "{text}"], 3, "text.csv: no label column; name it with --label-column"),
        (["{short}", "{data}"], 3, "has 2 rows and"),
        (["{text}"], 3, "no column says what was predicted"),
        (["{data}", "--task", "qa"], 3, "no column 'answer' with predictions"),
        (["{data}"], 3, "no predictions beside 'label'; name a model (distil evaluate MODEL "),
        (["{short}"], 3, "no label column beside 'label', 'score'"),
        (["{model}", "{data}", "--limit", "0"], 3, "has no rows to evaluate"),
    ],
)
def test_what_cannot_be_meant_is_one_line(
    distil: Distil,
    places: dict[str, Path],
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    given = [argument.format(**places) for argument in arguments]
    found, out, err = distil("evaluate", *given, "-q")
    assert (found, out) == (code, "")
    assert err.count("\n") == 1
    assert words in err


@pytest.fixture
def places(
    tiny_folder: Path,
    qa_folder: Path,
    hand_tagger: Path,
    make_model: MakeModel,
    reviews: Path,
    tmp_path: Path,
) -> dict[str, Path]:
    unanswered = json.loads(json.dumps(SQUAD))
    del unanswered["data"][0]["paragraphs"][0]["qas"][1]["answers"]
    return {
        "data": reviews,
        "model": tiny_folder,
        "qa": qa_folder,
        "tag": hand_tagger,
        "base": make_model("base", head="BaseModel", labels=(), problem_type=None),
        "squad": written(tmp_path / "dev.json", json.dumps(SQUAD)),
        "unanswered": written(tmp_path / "unanswered.json", json.dumps(unanswered)),
        "conll": written(tmp_path / "dev.conll", CONLL),
        "text": written(tmp_path / "text.csv", "text\ngood\n"),
        "short": written(tmp_path / "short.csv", "label,score\npositive,1\nnegative,1\n"),
    }


@pytest.mark.parametrize("force", [(), ("--force",)])
@pytest.mark.parametrize("option", ["--errors", "--stats"])
def test_nothing_that_is_read_is_replaced(
    distil: Distil, places: dict[str, Path], tmp_path: Path, option: str, force: tuple[str, ...]
) -> None:
    by_ids = written(tmp_path / "by_ids.json", json.dumps({"1": "film", "2": "", "3": ""}))
    both = written(tmp_path / "both.csv", "label,gold\na,a\na,b\n")
    for read, written_to in [
        ([places["model"], places["data"]], places["data"]),
        ([places["model"], tmp_path / "rev*.csv"], places["data"]),
        ([both, "--label-column", "gold"], both),
        ([by_ids, places["squad"]], by_ids),
        ([by_ids, places["squad"]], places["squad"]),
    ]:
        before = written_to.read_bytes()
        code, out, err = distil("evaluate", *read, option, written_to, *force, "-q")
        assert (code, out) == (2, "")
        assert f"{option} would replace this input; name another file" in err
        assert written_to.read_bytes() == before


def test_a_row_that_the_model_cannot_use(distil: Distil, qa_folder: Path, tmp_path: Path) -> None:
    lines = "question,context,answers\nwhat,the film,film\n,the film,film\n"
    data = written(tmp_path / "dev.csv", lines)
    code, out, err = distil("evaluate", qa_folder, data, "-q")
    assert (code, out) == (3, "")
    assert f"{data}: line 3: empty text: the question" in err
    code, out, _ = distil("evaluate", qa_folder, data, "--on-error", "skip", "--format", "json")
    assert code == 6
    assert json.loads(out)["evaluated_rows"] == 1


@pytest.mark.slow
def test_rows_without_a_label_are_left_out(
    distil: Distil, tiny_folder: Path, reviews: Path, tmp_path: Path
) -> None:
    more = written(tmp_path / "more.csv", reviews.read_text() + "good sound,,a\nno plot, ,b\n")
    code, out, err = distil("evaluate", tiny_folder, more, "-q")
    assert (code, out) == (3, "")
    assert "line 8, column 'label': no value" in err
    _, labelled, _ = distil("evaluate", tiny_folder, reviews)
    code, out, err = distil("evaluate", tiny_folder, more, "--on-error", "skip", "--json")
    assert (code, out) == (6, labelled)
    assert "2 rows skipped without a usable gold label, the first: " in err
    summary = json.loads(err.splitlines()[-1])
    assert (summary["rows"], summary["evaluated_rows"]) == (8, 6)
    predictions = tmp_path / "out.csv"
    distil("classify", more, "-m", tiny_folder, "-o", predictions)
    assert distil("evaluate", predictions, "--on-error", "skip")[:2] == (6, labelled)
    # If no row is left, that is an error.
    code, _, err = distil("evaluate", tiny_folder, more, "--on-error", "skip", "--label-column",
                          "source")  # fmt: skip
    assert code == 3
    assert "has no rows to evaluate: " in err
    assert "the model has no label 'a'" in err


@pytest.mark.parametrize(
    ("kind", "rows", "fault"),
    [
        ("classify", "text,label\nfilm,positive\nplot,odd\n", "the model has no label 'odd'"),
        ("multilabel", 'text,labels\nfilm,"positive,negative"\nplot,odd\n', "no label 'odd'"),
        ("regress", "text,score\nfilm,1.5\nplot,odd\n", "'odd' is not a number"),
        ("found", "label,score,gold\na,0.5,a\na,odd,a\n", "column 'score': 'odd' is not a number"),
        ("gold", "label,gold\na,a\na,\n", "line 3, column 'gold': no value"),
    ],
)
def test_rows_with_labels_of_no_use_are_skipped(
    distil: Distil, make_model: MakeModel, tmp_path: Path, kind: str, rows: str, fault: str
) -> None:
    data, subject = written(tmp_path / "a.csv", rows), [tmp_path / "a.csv"]
    gold = ("--label-column", "gold") if kind in {"found", "gold"} else ()
    if not gold:
        types = {"multilabel": "multi_label_classification", "regress": "regression"}
        settings = {"labels": ("score",)} if kind == "regress" else {}
        problem = types.get(kind, "single_label_classification")
        subject = [make_model("m", problem_type=problem, **settings), data]
    code, out, err = distil("evaluate", *subject, *gold)
    assert (code, out) == (3, "")
    assert fault in err
    code, out, err = distil(
        "evaluate", *subject, *gold, "--on-error", "skip", "--format", "json", "--json"
    )
    assert code == 6
    assert json.loads(out)["evaluated_rows"] == 1
    summary = json.loads(err.splitlines()[-1])
    assert (summary["rows"], summary["failed_rows"], summary["skipped_rows"]) == (2, 1, 1)


def test_empty_texts_are_told(
    distil: Distil, tiny_folder: Path, reviews: Path, tmp_path: Path
) -> None:
    more = written(tmp_path / "more.csv", reviews.read_text() + ",negative,a\n ,negative,b\n")
    code, out, err = distil("evaluate", tiny_folder, more, "-q")
    assert (code, out) == (3, "")
    assert err == f"distil: error: {more}: line 8: empty text\n"
    code, out, _ = distil("evaluate", tiny_folder, more, "-q", "--on-error", "skip")
    assert (code, out) == (6, distil("evaluate", tiny_folder, reviews)[1])
    code, _, err = distil("evaluate", tiny_folder, more, "-q", "--keep-empty")
    assert code == 0
    assert err == "distil: warning: 2 rows evaluated with an empty text\n"
    assert distil("evaluate", tiny_folder, reviews, "-q")[2] == ""


def test_labels_by_numbers(distil: Distil, tiny_folder: Path, reviews: Path) -> None:
    text = reviews.read_text().replace("positive", "1").replace("negative", "0")
    numbered = written(reviews.with_name("numbered.csv"), text)
    _, out, _ = distil("evaluate", tiny_folder, reviews)
    code, _, err = distil("evaluate", tiny_folder, numbered)
    assert code == 3
    assert "--map 1=LABEL" in err
    assert distil("evaluate", tiny_folder, numbered, "--map", "0=negative,1=positive")[1] == out


def test_how_long_texts_are_read_counts(distil: Distil, tiny_folder: Path, tmp_path: Path) -> None:
    long = " ".join(TEXTS * 8)
    data = written(tmp_path / "long.csv", f"text,label\n{long},positive\n")
    code, _, err = distil("evaluate", tiny_folder, data, "--long", "error")
    assert code == 3
    assert "tokens" in err
    assert distil("evaluate", tiny_folder, data, "--long", "window", "--stride", 4)[0] == 0


def test_json_lines_are_read_by_path(distil: Distil, tiny_folder: Path, tmp_path: Path) -> None:
    row = {"review": {"body": "good"}, "gold": {"label": "positive"}}
    data = written(tmp_path / "data.jsonl", json.dumps(row) + "\n")
    wrong = tmp_path / "wrong.jsonl"
    code, _, err = distil(
        "evaluate", tiny_folder, data, "-c", "review.body", "--label-column", "gold.label",
        "--errors", wrong,
    )  # fmt: skip
    assert code == 0, err
    (value,) = Classifier(str(tiny_folder), device="cpu")(["good"])
    assert len(json_lines(wrong.read_text())) == (value.label != "positive")


def test_labels_that_are_vectors_or_columns(
    distil: Distil, make_model: MakeModel, tmp_path: Path
) -> None:
    model = make_model(labels=("a", "b"), problem_type="multi_label_classification")
    bits = [(n % 2, n % 3 == 0) for n in range(len(TEXTS))]
    vectors = "".join(
        f'{text},"[{a:d}, {b:d}]"\n' for text, (a, b) in zip(TEXTS, bits, strict=True)
    )
    columns = "".join(f"{text},{a:d},{b:d}\n" for text, (a, b) in zip(TEXTS, bits, strict=True))
    by_vector = written(tmp_path / "v.csv", "text,labels\n" + vectors)
    by_column = written(tmp_path / "c.csv", "text,a,b\n" + columns)
    code, out, err = distil("evaluate", model, by_vector, "-q")
    assert (code, out) == (3, "")
    assert "are 0 or 1 for each of 2 labels" in err
    code, out, err = distil("evaluate", model, by_column, "-q")
    assert (code, out) == (3, "")
    assert "columns of 0 and 1 with --label-columns" in err
    code, first, _ = distil("evaluate", model, by_vector, "--labels", "a,b")
    assert code == 0
    assert distil("evaluate", model, by_column, "--label-columns", "a,b")[1] == first
    swapped = distil("evaluate", model, by_vector, "--labels", "b,a")[1]
    assert swapped != first
    code, _, err = distil("evaluate", model, by_column, "--label-columns", "a,b", "--labels", "a,b")
    assert code == 2
    assert "--label-columns and --labels do not go together" in err


def test_labels_that_are_one_number_are_told(distil: Distil, tmp_path: Path) -> None:
    found = written(tmp_path / "f.csv", "label,gold\n1,1\n0,0\n1,1.0\n")
    code, out, err = distil("evaluate", found, "--label-column", "gold")
    assert code == 0
    assert "the labels 1 and 1.0 are one number and two labels; join them with --map 1.0=1" in err
    mapped = distil("evaluate", found, "--label-column", "gold", "--map", "1.0=1")
    assert "one number" not in mapped[2]
    assert figures(mapped[1])["accuracy"] == 1 > figures(out)["accuracy"]


def test_tags_that_are_numbers(distil: Distil, hand_tagger: Path, tmp_path: Path) -> None:
    rows = [{"tokens": ["the", "film", "movie"], "ner_tags": [2, 0, 1]}]
    data = written(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    code, out, err = distil("evaluate", hand_tagger, data, "--labels", "B-ART,I-ART,O")
    assert (code, figures(out)["f1"], figures(out)["strict_f1"]) == (0, 1.0, 1.0)
    assert "the tags are numbers" not in err
    code, _, err = distil("evaluate", hand_tagger, data, "--labels", "O,B-ART")
    assert code == 3
    assert "'2' is neither one of the --labels" in err


def test_another_spelling_and_iob1_in_gold_tags(
    distil: Distil, hand_tagger: Path, tmp_path: Path
) -> None:
    iob1 = written(tmp_path / "a.conll", "the O\nfilm I-ART\nfilm B-ART\n\nfilm I-ART\n\n")
    code, out, err = distil("evaluate", hand_tagger, iob1)
    assert code == 0
    assert figures(out) == pytest.approx(dict.fromkeys(figures(out), 1.0))
    assert "the tags are in IOB1" in err
    other = written(tmp_path / "b.conll", "the o\nfilm B_ART\nmovie I_ART\n\n")
    code, out, err = distil("evaluate", hand_tagger, other)
    assert figures(out) == pytest.approx(dict.fromkeys(figures(out), 1.0))
    assert "is read as" in err
    constant = written(tmp_path / "c.conll", "the DT 0\nfilm NN 0\n\n")
    code, out, err = distil("evaluate", hand_tagger, constant, "-q")
    assert (code, out) == (3, "")
    assert "every word has the label '0'; name another --label-column (column_2)" in err
