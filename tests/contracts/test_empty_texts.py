"""One rule for empty texts in every command and in Python, and the option to keep them."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distilcli import Answerer, Chooser, Classifier, Embedder, MaskFiller, Tagger
from distilcli.errors import RowError
from tests.commands._parse import delimited, json_lines

Distil = Callable[..., tuple[int, str, str]]

EMPTY = ["", " \t", "\u200b", "\ufeff\u200d \n", None, math.nan]
RUNS = {
    "classify": ("tiny_folder", "text", {}, []),
    "embed": ("tiny_folder", "text", {}, []),
    "tag": ("hand_tagger", "text", {}, []),
    "fill": ("mlm_folder", "text", {}, []),
    "fill --pseudo-perplexity": ("mlm_folder", "text", {}, []),
    "qa": ("qa_folder", "question", {"context": "a good film"}, ["the question"]),
    "qa --top-k 2": ("qa_folder", "context", {"question": "was it good"}, ["the context"]),
    "choose": ("choice_folder", "prompt", {"options": ["a", "b"]}, ["the prompt"]),
    "classify --pair-column other": ("tiny_folder", "other", {"text": "a"}, ["the second text"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS)
def test_an_empty_text_is_an_error_of_its_row_in_every_command(
    distil: Distil, tmp_path: Path, request: pytest.FixtureRequest, run: str
) -> None:
    model, column, others, parts = RUNS[run]
    path = tmp_path / "rows.jsonl"
    rows = [{**others, column: text} for text in EMPTY]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = (*run.split(), path, "-m", request.getfixturevalue(model))
    code, out, err = distil(*command)
    found = json_lines(out)
    assert code == 6
    assert [row["error"] for row in found] == [": ".join(["empty text", *parts])] * len(EMPTY)
    for row in found:
        assert all(row[name] is None for name in row.keys() - {column, *others, "error"})
    assert "failed: 6 rows" in err
    code, kept, _ = distil(*command, "--keep-empty")
    assert code == 0
    assert all("error" not in row for row in json_lines(kept))
    code, out, err = distil(*command, "--on-error", "stop")
    assert code == 3
    assert f"{path}: line 1: empty text" in err


@pytest.mark.parametrize("content", ["text,id\n,1\n\u200b,2\ngood,3\n", "\u2060\n  \ngood\n"])
def test_cells_and_lines_without_a_text(
    distil: Distil, tiny_folder: Path, tmp_path: Path, content: str
) -> None:
    path = tmp_path / ("rows.csv" if "," in content else "rows.txt")
    path.write_text(content, encoding="utf-8")
    code, out, _ = distil("classify", path, "-m", tiny_folder, "-o", tmp_path / "out.csv")
    rows = delimited((tmp_path / "out.csv").read_text())
    assert (code, out) == (6, "")
    assert [(row["error"], bool(row["label"])) for row in rows] == [
        ("empty text", False),
        ("empty text", False),
        ("", True),
    ]


def test_a_sentence_without_words_is_no_empty_text(
    distil: Distil, hand_tagger: Path, tmp_path: Path
) -> None:
    path = tmp_path / "rows.conll"
    path.write_text("film O\n\n# the end = 1\n")
    assert distil("tag", path, "-m", hand_tagger)[0] == 0


@pytest.mark.parametrize("text", EMPTY)
def test_an_empty_text_in_python(
    tiny_folder: Path, qa_folder: Path, choice_folder: Path, mlm_folder: Path, text: Any
) -> None:
    for predictor, item in (
        (Classifier(str(tiny_folder), device="cpu"), text),
        (Classifier(str(tiny_folder), device="cpu"), ("good", text)),
        (Embedder(str(tiny_folder), device="cpu"), text),
        (MaskFiller(str(mlm_folder), device="cpu"), text),
        (Answerer(str(qa_folder), device="cpu"), {"question": text, "context": "a"}),
        (Chooser(str(choice_folder), device="cpu"), (text, ["a", "b"])),
    ):
        with pytest.raises(RowError, match="empty text"):
            predictor([item])  # type: ignore[operator]
        with pytest.raises(RowError, match="empty text"):
            list(predictor.stream([item]))  # type: ignore[arg-type]


def test_empty_texts_that_are_kept_in_python(
    tiny_folder: Path, hand_tagger: Path, qa_folder: Path, mlm_folder: Path
) -> None:
    kept: dict[str, Any] = {"device": "cpu", "keep_empty": True}
    assert Classifier(str(tiny_folder), **kept)([None])[0].label is not None
    assert Embedder(str(tiny_folder), **kept)([""]).shape == (1, 32)
    assert Tagger(str(hand_tagger), **kept)("\u200b") == []
    (answers,) = Answerer(str(qa_folder), **kept)([("was it good", "")])
    assert (answers.answer, answers.no_answer_score) == ("", 1.0)
    filler = MaskFiller(str(mlm_folder), **kept)
    assert filler("").filled == ""
    assert math.isnan(filler.pseudo_perplexity("").pseudo_perplexity)
