import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from distilcli import (
    Answerer,
    Chooser,
    Classifier,
    Embedder,
    LongTexts,
    MaskFiller,
    Tagger,
    to_frame,
)
from distilcli.tasks.classify import Classification
from distilcli.vectors.search import Hit
from tests.commands._parse import json_lines

Distil = Callable[..., tuple[int, str, str]]


def rounded(value: Any) -> Any:
    """The same with numbers to four digits, which other batches do not change."""
    if isinstance(value, list | np.ndarray):
        return list(map(rounded, value))
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return round(float(value), 4) if isinstance(value, float | np.floating) else value


@pytest.mark.parametrize(
    ("command", "kind", "fixture", "row"),
    [
        ("classify", Classifier, "tiny_folder", {"text": "good"}),
        ("embed", Embedder, "tiny_folder", {"text": "good"}),
        ("tag", Tagger, "hand_tagger", {"text": "a film movie"}),
        ("qa", Answerer, "qa_folder", {"question": "what ?", "context": "a good film"}),
        ("fill", MaskFiller, "mlm_folder", {"text": "a [MASK] film"}),
        ("choose", Chooser, "choice_folder", {"prompt": "a", "options": ["good", "bad"]}),
    ],
)
def test_columns_are_those_of_the_command(
    request: pytest.FixtureRequest,
    distil: Distil,
    tmp_path: Path,
    command: str,
    kind: Callable[..., Any],
    fixture: str,
    row: dict[str, Any],
) -> None:
    folder, file = request.getfixturevalue(fixture), tmp_path / "a.jsonl"
    file.write_text(json.dumps(row) + "\n")
    code, out, _ = distil(command, file, "-m", folder, "--device", "cpu")
    assert code == 0
    (written,) = json_lines(out)
    item = tuple(row.values()) if len(row) > 1 else row["text"]
    frame = to_frame(kind(str(folder), device="cpu")([item]))
    assert list(frame) == [name for name in written if name not in row]
    for name in frame:
        assert rounded(frame[name][0]) == rounded(written[name])


def test_a_single_result_is_one_row(tiny_folder: Path) -> None:
    classifier = Classifier(str(tiny_folder), device="cpu")
    assert to_frame(classifier("good")).equals(to_frame(classifier(["good"])))
    embedder = Embedder(str(tiny_folder), device="cpu")
    assert to_frame(embedder("good")).shape == (1, 1)
    assert to_frame(embedder.tokens("good film"))["tokens"][0] == ["good", "film"]


def test_streams_and_nothing(tiny_folder: Path) -> None:
    classifier = Classifier(str(tiny_folder), device="cpu")
    frame = to_frame(classifier.stream(["good", "bad"]))
    assert frame.shape == (2, 2)
    assert frame["score"].dtype == float
    assert to_frame([]).shape == (0, 0)


def test_entities_are_rows_of_their_own(hand_tagger: Path) -> None:
    frame = to_frame(Tagger(str(hand_tagger), device="cpu")("a film movie and a book"))
    assert list(frame) == ["text", "label", "start", "end", "score"]
    assert list(frame["text"]) == ["film movie", "book"]
    assert frame["start"].dtype == int


def test_truncated_is_a_column_if_any_text_was(tiny_folder: Path) -> None:
    classifier = Classifier(str(tiny_folder), device="cpu", long_texts=LongTexts(max_length=8))
    frame = to_frame(classifier(["good", "good " * 20]))
    assert list(frame["truncated"]) == [False, True]


def test_other_heads(make_model: Callable[..., Path]) -> None:
    several = Classifier(str(make_model()), device="cpu", multi_label=True)("good")
    assert list(to_frame(several)) == ["labels", "scores"]
    assert list(to_frame(Classification((3.5,), kind="regression"))) == ["score"]
    two = to_frame(Classification((3.5, 1.0), kind="regression"))
    assert two.to_dict("records") == [{"score_0": 3.5, "score_1": 1.0}]


def test_places_stay_whole_numbers_beside_no_answer(qa_folder: Path) -> None:
    asked = [("what ?", "a good film"), ("why ?", "dull")]
    answerer = Answerer(str(qa_folder), device="cpu", no_answer_threshold=0.0, top_k=2)
    frame = to_frame(answerer(asked))
    assert list(frame)[:6] == ["answer", "score", "start", "end", "answer_2", "score_2"]
    assert frame["start"].isna().all()


def test_hits() -> None:
    frame = to_frame([Hit(4, 0.5, {"id": "x", "text": "y"}), Hit(2, 0.25, {"id": "z"})])
    assert list(frame) == ["index", "score", "id", "text"]
    assert isinstance(frame, pd.DataFrame)


@pytest.mark.parametrize("results", [["a text"], [5], [[Hit(1, 0.5)]]])
def test_what_is_no_result(results: list[Any]) -> None:
    with pytest.raises(TypeError, match="give results of a predictor, not"):
        to_frame(results)
