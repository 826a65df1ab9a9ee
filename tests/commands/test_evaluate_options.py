"""`distil evaluate`: an option does what it says, or is refused before any work is done."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from distilcli.gold.fingerprints import row_keys
from tests.commands._parse import delimited, json_lines

Distil = Callable[..., tuple[int, str, str]]
MakeModel = Callable[..., Path]


def figures(out: str) -> dict[str, str]:
    return {row["metric"]: row["value"] for row in csv.DictReader(out.splitlines(), delimiter="\t")}


def rows_in(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_long_contexts_are_read_in_windows_of_any_length(
    distil: Distil, qa_folder: Path, tmp_path: Path
) -> None:
    words = "the film was good and the book was dull but i loved the sound of poor boring plot"
    context = " ".join(" ".join(words.split()[n:]) for n in range(9))
    questions = [f"what was {word}" for word in ("good", "dull", "poor", "loved")]
    asked = [{"question": question, "context": context} for question in questions]
    length = ("--max-length", 24, "--stride", 4)
    answered = tmp_path / "answered.jsonl"
    assert distil("qa", rows_in(tmp_path / "asked.jsonl", asked), "-m", qa_folder, *length,
                  "-o", answered)[0] == 0  # fmt: skip
    given = json_lines(answered.read_text())
    # What the windows say is what is expected: a context that is cut says something else.
    golds = [{**row, "answers": [one["answer"]]} for row, one in zip(asked, given, strict=True)]
    data = rows_in(tmp_path / "dev.jsonl", golds)
    code, out, err = distil("evaluate", qa_folder, data, *length)
    assert code == 0, err
    assert figures(out)["exact_match"] == "1.0000"
    cut = distil("evaluate", qa_folder, data, "--long", "truncate", "--max-length", 24)[1]
    assert figures(cut)["exact_match"] != "1.0000"


def test_errors_find_names_of_their_own(distil: Distil, tmp_path: Path) -> None:
    rows = [{"score": "1", "predicted_score": n, "predicted": "x"} for n in (1, 3, 2)]
    data, wrong = rows_in(tmp_path / "scored.jsonl", rows), tmp_path / "wrong.csv"
    code, _, err = distil("evaluate", data, "--task", "regress", "--errors", wrong, "--json")
    assert code == 0, err
    assert json.loads(err.splitlines()[-1])["metrics"]["mae"] == 1.0
    worst, *_ = delimited(wrong.read_text())
    assert worst["score"] == "1"
    assert (worst["predicted_score"], worst["evaluated_predicted"]) == ("3", "3.0")
    assert "evaluated_" in err


@pytest.mark.parametrize("column", ["accuracy", "rows", "metric", "slice"])
def test_a_column_of_slices_may_have_any_name(distil: Distil, tmp_path: Path, column: str) -> None:
    rows = [{column: "x", "predicted_label": "a", "label": gold} for gold in "aab"]
    rows += [{column: "y", "predicted_label": "b", "label": "b"}]
    data = rows_in(tmp_path / "rows.jsonl", rows)
    code, out, err = distil("evaluate", data, "--by", column)
    assert code == 0, err
    lines = [line for line in delimited(out, "\t") if line["metric"] == "accuracy"]
    assert [(line["slice"], line["rows"], line["value"]) for line in lines] == [
        ("", "4", "0.7500"), ("x", "3", "0.6667"), ("y", "1", "1.0000"),
    ]  # fmt: skip
    document = json.loads(distil("evaluate", data, "--by", column, "--format", "json")[1])
    assert [(one["slice"], one["rows"]) for one in document["slices"]] == [("x", 3), ("y", 1)]
    assert document["slices"][1]["accuracy"] == 1.0


def test_a_column_that_is_called_like_a_score(
    distil: Distil, tiny_folder: Path, tmp_path: Path
) -> None:
    texts = ["the film was good", "a dull plot", "i loved it", "poor sound"]
    rows = [
        {"text": text, "gold": gold, "score_helpful": helpful, "score_of": shop}
        for text, gold, helpful, shop in zip(
            texts, ["positive", "negative"] * 2, (3, 0, 7, 1), "abcd", strict=True
        )
    ]
    data, plain, full = (tmp_path / name for name in ("data.jsonl", "plain.csv", "full.csv"))
    rows_in(data, rows)
    golds = ("--label-column", "gold")
    _, by_model, _ = distil("evaluate", tiny_folder, data, *golds)
    assert distil("classify", data, "-m", tiny_folder, "-o", plain)[0] == 0
    assert distil("classify", data, "-m", tiny_folder, "-o", full, "--all-scores")[0] == 0
    for predictions in (plain, full):
        code, out, err = distil("evaluate", predictions, data, *golds)
        assert (code, out) == (0, by_model), err


def test_a_score_that_could_be_a_probability_needs_those_of_all_labels(
    distil: Distil, tmp_path: Path
) -> None:
    rows = [
        {"predicted_label": label, "predicted_score": 0.9, "predicted_score_x": 0.5, "label": gold}
        for label, gold in ("ab", "aa", "bb")
    ]
    code, _, err = distil("evaluate", rows_in(tmp_path / "p.jsonl", rows), "--json")
    assert code == 0, err
    assert json.loads(err.splitlines()[-1])["labels"][-1]["label"] == "b"


@pytest.mark.parametrize(
    ("subject", "option", "words"),
    [
        ("file", ("--precision", "bf16"), "--precision is for a model, not for predictions"),
        ("file", ("--long", "window"), "--long is for a model"),
        ("file", ("--batch", "2"), "--batch is for a model"),
        ("file", ("--device", "cpu"), "--device is for a model"),
        ("file", ("-c", "text"), "--text-column is for a model"),
        (
            "file",
            ("--task", "regress", "--map", "a=b"),
            "--map has no effect on the task regress, only on classify and multilabel",
        ),
        (
            "file",
            ("--options-column", "text"),
            "--options-column has no effect on the task classify, only on choose",
        ),
        (
            "file",
            ("--option-columns", "text"),
            "--option-columns has no effect on the task classify",
        ),
        ("model", ("--prefix", "p_"), "--prefix is for predictions in a file"),
        (
            "model",
            ("--task", "mlm", "--label-column", "label"),
            "--label-column has no effect on the task mlm, only on classify, ",
        ),
        (
            "model",
            ("--task", "tag", "--window-pooling", "max"),
            "--window-pooling has no effect on the task tag",
        ),
    ],
    ids=str,
)
def test_options_without_effect_are_refused(
    distil: Distil, tiny_folder: Path, tmp_path: Path, subject: str, option: list[str], words: str
) -> None:
    rows = [{"text": "good", "label": gold, "predicted_label": "a", "score": 1} for gold in "ab"]
    data = rows_in(tmp_path / "rows.jsonl", rows)
    subjects = (data,) if subject == "file" else (tiny_folder, data)
    code, out, err = distil("evaluate", *subjects, *option, "-q")
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1


def test_maps_of_labels_add_up_and_must_agree(distil: Distil, tmp_path: Path) -> None:
    data = tmp_path / "found.csv"
    data.write_text("label,gold\nx,a\ny,b\nx,c\n")
    run = ("evaluate", data, "--label-column", "gold", "--map", "a=x,c=x", "--map", "b=y")
    code, out, err = distil(*run)
    assert code == 0, err
    assert figures(out)["accuracy"] == "1.0000"
    code, out, err = distil(*run, "--map", "a=y", "-q")
    assert (code, out) == (2, "")
    assert err == "distil: error: --map: a is both x and y; give it one name\n"


def test_options_in_a_single_column_are_refused(
    distil: Distil, choice_folder: Path, tmp_path: Path
) -> None:
    data = tmp_path / "problems.csv"
    data.write_text("prompt,a,b,label\nthe film was,good,bad,A\n")
    given = ("--task", "choose", "--option-columns", "a", "-q")
    subjects = [("evaluate", choice_folder, data, *given)]
    predictions = tmp_path / "out.csv"
    predictions.write_text("choice,choice_index,a,label\ngood,0,good,A\n")
    subjects.append(("evaluate", predictions, *given))
    subjects.append(("finetune", data, "-o", tmp_path / "run", *given))
    subjects.append(("choose", data, "-m", choice_folder, "--option-columns", "a", "-q"))
    for command in subjects:
        code, _, err = distil(*command)
        assert code == 2
        assert "--option-columns 'a': name at least two columns" in err


def test_a_word_without_a_tag_is_refused_or_skipped(
    distil: Distil, hand_tagger: Path, tmp_path: Path
) -> None:
    rows: list[dict[str, object]] = [
        {"tokens": ["film", "."], "tags": ["B-ART", None]},
        {"tokens": ["book"], "tags": ["O"]},
    ]
    data = rows_in(tmp_path / "dev.jsonl", rows)
    code, out, err = distil("evaluate", hand_tagger, data, "-q")
    assert (code, out) == (3, "")
    assert "line 1, column 'tags': a word has no tag; each needs one" in err
    code, out, _ = distil("evaluate", hand_tagger, data, "--on-error", "skip", "--format", "json")
    assert (code, json.loads(out)["evaluated_rows"]) == (6, 1)


def test_rows_that_the_model_was_trained_on_are_counted(
    distil: Distil, tiny_folder: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(tiny_folder, model)
    texts = ["the film was good", "a dull plot", "i loved it", ""]
    keys = np.sort(row_keys(["The  film was GOOD", "poor sound", "i loved it", ""]))
    rows: list[dict[str, object]] = [{"text": text, "label": "positive"} for text in texts]
    data = rows_in(tmp_path / "rows.jsonl", rows)
    run = ("evaluate", model, data, "--format", "json", "-q", "--keep-empty")
    assert "rows_seen_in_training" not in json.loads(distil(*run)[1])
    np.save(model / "training_rows.npy", keys)
    code, out, err = distil(*run)
    assert code == 0
    assert json.loads(out)["rows_seen_in_training"] == 2
    assert "distil: warning: 2 of these 4 rows were in its training\n" in err
    np.save(model / "training_rows.npy", keys[:1])
    assert "in its training" not in distil(*run)[2]


def test_pairs_and_sentences_of_the_training_are_counted(
    distil: Distil, qa_folder: Path, hand_tagger: Path, choice_folder: Path, tmp_path: Path
) -> None:
    problem = {"prompt": "the film was", "options": ["good", "very bad"], "label": 0}
    question = {"question": "what", "context": "the film", "answers": ["film"]}
    cases = [
        (qa_folder, question, ("what", "the film")),
        (hand_tagger, {"tokens": ["film", "."], "tags": ["O", "O"]}, ("film .", None)),
        (choice_folder, problem, ("the film was", "good\nvery bad")),
    ]
    for folder, row, (first, second) in cases:
        model = tmp_path / folder.name
        shutil.copytree(folder, model)
        keys = row_keys([first], None if second is None else [second])
        np.save(model / "training_rows.npy", keys)
        data = rows_in(tmp_path / "rows.jsonl", [row])
        code, _, err = distil("evaluate", model, data, "-q")
        assert code == 0, err
        assert "warning: this row was in its training" in err
