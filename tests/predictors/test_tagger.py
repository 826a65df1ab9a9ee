from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

import distilcli
from distilcli.errors import ModelError, RowError, UsageError
from distilcli.predictors.tagger import Tagger
from distilcli.tasks.settings import BatchOptions, LongTexts
from distilcli.tasks.tag import Aggregation
from tests._hand_tagger import LABELS, write_hand_tagger

Make = Callable[..., Path]
BIO = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG")
TEXT = "The film movie, and a Camera  battery!  book book"


@pytest.fixture
def tagger(hand_tagger: Path) -> Tagger:
    return Tagger(str(hand_tagger), device="cpu", keep_empty=True)


@pytest.fixture
def random_folder(make_model: Make) -> Path:
    return make_model(head="TokenClassifier", labels=BIO, problem_type=None)


def found(tagger: Tagger, text: str) -> list[tuple[str, str]]:
    (entities,) = tagger([text])
    return [(entity.text, entity.label) for entity in entities]


def test_entities_are_stretches_of_the_text(tagger: Tagger) -> None:
    (entities,) = tagger([TEXT])
    assert [(e.text, e.label, e.start, e.end) for e in entities] == [
        ("film movie", "ART", 4, 14),
        ("Camera  battery", "DEV", 22, 37),
        ("book", "ART", 40, 44),
        ("book", "ART", 45, 49),
    ]
    assert all(0.5 < entity.score < 1 for entity in entities)
    assert tagger(["", "nothing"]) == [[], []]
    assert tagger([]) == []
    assert (tagger.labels, tagger.types) == (LABELS, ("ART", "DEV"))
    assert distilcli.Tagger is Tagger


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        ("none", [("film", "B-ART"), ("un", "B-ART"), ("like", "B-DEV")]),
        ("simple", [("film", "ART"), ("un", "ART"), ("like", "DEV")]),
        ("first", [("film", "ART"), ("unlike", "ART")]),
    ],
)
def test_aggregation(
    hand_tagger: Path, aggregation: Aggregation, expected: list[tuple[str, str]]
) -> None:
    tagger = Tagger(str(hand_tagger), aggregation=aggregation, device="cpu")
    assert found(tagger, "a film , unlike") == expected


@pytest.mark.slow
def test_aggregations_of_words_by_their_definition(random_folder: Path) -> None:
    def tags(aggregation: Aggregation) -> list[str | None]:
        return Tagger(str(random_folder), aggregation=aggregation, device="cpu").tag_words(
            [[word]]
        )[0]

    tokens = Tagger(str(random_folder), aggregation="none", device="cpu")
    differing = 0
    for word in ("unlikely", "overacted", "camcorder", "zebra", "quickly", "heroes"):
        task = tokens.engine(lambda item: item).task
        (row,) = task.encode([word])
        import torch

        from distilcli.engine.batching import pad

        with torch.inference_mode():
            (scores,) = task.forward(pad(row.pieces, pad_token_id=0, device=torch.device("cpu")))
        scores = scores[1:-1]
        expected = {
            "first": scores[0].argmax(),
            "average": scores.mean(axis=0).argmax(),
            "max": scores[scores.max(axis=1).argmax()].argmax(),
        }
        for aggregation, number in expected.items():
            assert tags(aggregation) == [BIO[number]]  # type: ignore[arg-type]
        differing += len(set(map(int, expected.values()))) > 1
    assert differing


def test_words_get_a_label_each(tagger: Tagger) -> None:
    sentences = [["The", "film", "movie"], [], ["\u200b", "unlike", "good-film"]]
    assert tagger.tag_words(sentences) == [
        ["O", "B-ART", "I-ART"],
        [],
        ["O", "B-ART", "O"],  # a word is one unit, whatever stands in it
    ]


def test_windows_change_nothing_where_a_text_fits(random_folder: Path) -> None:
    texts = ["i loved the film , but the camera broke", "unlikely acting", "dull " * 50]
    whole = Tagger(str(random_folder), device="cpu", long_texts=LongTexts(long="error"))
    windowed = Tagger(str(random_folder), device="cpu")
    assert windowed(texts) == whole(texts)


def test_long_texts_are_read_to_their_end(hand_tagger: Path) -> None:
    text = " ".join(["good"] * 70 + ["film", "movie"] + ["bad"] * 70 + ["unlike"])
    settings = {"max_length": 16, "stride": 4}
    for options in (None, LongTexts(long="window", **settings)):
        tagger = Tagger(str(hand_tagger), device="cpu", long_texts=options)
        assert found(tagger, text) == [("film movie", "ART"), ("unlike", "ART")]
        words = text.split()
        (tags,) = tagger.tag_words([words])
        assert [(w, t) for w, t in zip(words, tags, strict=True) if t != "O"] == [
            ("film", "B-ART"),
            ("movie", "I-ART"),
            ("unlike", "B-ART"),
        ]


def test_each_word_comes_from_the_window_with_most_context(random_folder: Path) -> None:
    words = "the film was dull and the camera was slow but i loved it".split()
    options = LongTexts(long="window", max_length=10, stride=4)
    windowed = Tagger(str(random_folder), device="cpu", long_texts=options)
    whole = Tagger(str(random_folder), device="cpu")
    # Windows of eight words begin at every fourth; a word goes where it is furthest from the ends.
    first, second = words[:8], words[4:12]
    parts = whole.tag_words([first, second, words[8:]])
    expected = [*parts[0][:6], *parts[1][2:6], *parts[2][2:]]
    assert windowed.tag_words([words]) == [expected]


def test_long_texts_may_be_cut_or_an_error(hand_tagger: Path) -> None:
    words = ["film"] * 20
    cut = Tagger(str(hand_tagger), device="cpu", long_texts=LongTexts(max_length=12))
    assert cut.tag_words([words]) == [["B-ART"] * 10 + [None] * 10]
    assert len(cut([" ".join(words)])[0]) == 10
    strict = Tagger(
        str(hand_tagger), device="cpu", long_texts=LongTexts(long="error", max_length=12)
    )
    with pytest.raises(RowError, match="22 tokens, the limit is 12"):
        strict.tag_words([words])


def test_results_do_not_depend_on_batches(random_folder: Path) -> None:
    texts = ["the film was dull", "z", "", "i loved it , but not the plot " * 5]
    one, many = (
        Tagger(str(random_folder), device="cpu", batches=batches, keep_empty=True)
        for batches in (BatchOptions(rows=1), BatchOptions(tokens=4096))
    )
    for ours, theirs in zip(one(texts), many(texts), strict=True):
        assert [(e.label, e.start, e.end) for e in ours] == [
            (e.label, e.start, e.end) for e in theirs
        ]
        assert [e.score for e in ours] == pytest.approx([e.score for e in theirs], abs=1e-5)


def test_plain_labels_without_an_outside(vocab: list[str], tmp_path: Path) -> None:
    write_hand_tagger(tmp_path, vocab, labels=("NN", "VB"), of_tokens={"loved": "VB"})
    tagger = Tagger(str(tmp_path), device="cpu")
    assert found(tagger, "film loved the film") == [
        ("film", "NN"), ("loved", "VB"), ("the film", "NN"),
    ]  # fmt: skip
    assert tagger.tag_words([["loved", "\u200b"]]) == [["VB", None]]


@pytest.mark.parametrize("texts", [5, [5], [["a", "list"]], ["text", 5]])
def test_what_is_no_list_of_texts_is_refused(tagger: Tagger, texts: Any) -> None:
    with pytest.raises(TypeError, match="give texts, "):
        tagger(texts)


@pytest.mark.parametrize("sentences", [["a text"], [[5]], [None]])
def test_what_is_no_list_of_words_is_refused(tagger: Tagger, sentences: Any) -> None:
    with pytest.raises(TypeError, match="give lists of words"):
        tagger.tag_words(sentences)


def test_settings_that_cannot_be_meant(hand_tagger: Path) -> None:
    with pytest.raises(UsageError, match="`aggregation` 'last' is unknown; take one of none"):
        Tagger(str(hand_tagger), aggregation="last")  # type: ignore[arg-type]
    for aggregation in get_args(Aggregation)[:2]:
        tagger = Tagger(str(hand_tagger), aggregation=aggregation, device="cpu")
        with pytest.raises(UsageError, match="gives no label per word"):
            tagger.tag_words([["film"]])


def test_models_that_cannot_tag(tiny_folder: Path, make_model: Make) -> None:
    with pytest.raises(ModelError):
        Tagger(str(tiny_folder), device="cpu")
    mixed = make_model(head="TokenClassifier", labels=("O", "B-PER", "place"), problem_type=None)
    with pytest.raises(ModelError, match="its labels are no known scheme"):
        Tagger(str(mixed), device="cpu")


def test_scores_are_means_of_those_of_the_words(random_folder: Path) -> None:
    text = "the film was dull and the camera was slow"
    words = Tagger(str(random_folder), aggregation="none", device="cpu")([text])[0]
    grouped = Tagger(str(random_folder), aggregation="simple", device="cpu")([text])[0]
    assert any(" " in entity.text for entity in grouped)
    for entity in grouped:
        inside = [w.score for w in words if entity.start <= w.start < entity.end]
        assert entity.score == pytest.approx(np.mean(inside))
