from collections.abc import Sequence

import numpy as np

from distilcli.predictors.label_heads import SCALE, common_words, label_head
from distilcli.tasks.embed import Array
from distilcli.tasks.label_sets import LabelsGiven, label_sets
from distilcli.tasks.match import LabelHead

NO_WORDS = np.empty((0, 4), np.float32)
DIRECTIONS = {"cat": 0, "dog": 1, "purrs": 2, "barks": 3}


def vectors(texts: Sequence[str]) -> Array:
    """Vectors of length 1 that point where the known words of a text do."""
    rows = np.full((len(texts), 4), 0.01, np.float32)
    for row, text in zip(rows, texts, strict=True):
        for word, axis in DIRECTIONS.items():
            row[axis] += word in text
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def made(given: LabelsGiven, words: Array = NO_WORDS) -> LabelHead:
    (labels,) = label_sets([given])
    return label_head(labels, vectors, words)


def label_of(head: LabelHead, text: str) -> str | None:
    return head(vectors([text])[0], truncated=False).label


def test_names_alone() -> None:
    head = made("my_cat,dog")
    assert head.labels == ("my_cat", "dog")
    assert (label_of(head, "a cat"), label_of(head, "the dog")) == ("my_cat", "dog")
    np.testing.assert_allclose(np.linalg.norm(head.weight, axis=1), SCALE, rtol=1e-5)


def test_a_description_is_read() -> None:
    assert label_of(made([{"name": "x", "description": "purrs"}, "dog"]), "it purrs") == "x"


def test_near_words_widen_a_label() -> None:
    near = np.concatenate([vectors(["cat purrs"])] * 30 + [vectors(["dog barks"])] * 30)
    alone, widened = made("cat,dog"), made("cat,dog", near)
    purrs = vectors(["purrs"])[0]
    assert alone(purrs, truncated=False).scores[0] < 0.6
    assert widened(purrs, truncated=False).scores[0] > 0.95


def test_examples_are_learned_from() -> None:
    given = [
        {"name": "x", "examples": ["it purrs"] * 8},
        {"name": "y", "examples": ["it barks"] * 2},
    ]
    head = made(given)
    assert (label_of(head, "purrs"), label_of(head, "barks")) == ("x", "y")


def test_labels_with_more_examples_are_not_likelier() -> None:
    given = [{"name": "x", "examples": ["it purrs"] * 30}, {"name": "y", "examples": ["barks"]}]
    scores = made(given)(vectors(["nothing"])[0], truncated=False).scores
    assert scores[0] < 0.5


def test_common_words_are_the_first_whole_ones() -> None:
    tokens = {3: "##ing", 0: "[CLS]", 2: "film", 1: "good", 4: "the", 5: "slow"}
    assert common_words(tokens) == ["good", "film", "slow"]
