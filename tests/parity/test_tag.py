"""The same entities as the token classification pipeline of transformers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from distilcli.predictors.tagger import Tagger
from distilcli.tasks.settings import BatchOptions
from distilcli.tasks.tag import Aggregation

transformers = pytest.importorskip("transformers")

pytestmark = pytest.mark.parity

BIO = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG")
PLAIN = ("O", "person", "place")
TEXTS = [
    "the film was very good , and i loved it !",
    "unlike the boring book, the camera works quickly",
    "  Unlikely   heroes hated\tcheap pictures.  ",
    "slowly, slowly: the battery broke (again) - not fun!",
    "z",
    "don't buy this; it's dull & overpriced",
]


@pytest.fixture(params=[("distilbert", BIO), ("bert", BIO), ("distilbert", PLAIN)])
def folder(request: pytest.FixtureRequest, make_model: Callable[..., Path]) -> Path:
    model_type, labels = request.param
    return make_model(
        head="TokenClassifier",
        model_type=model_type,
        labels=labels,
        problem_type=None,
    )


def pipeline(folder: Path, aggregation: str) -> Any:
    tokenizer = transformers.BertTokenizerFast.from_pretrained(folder)
    model = transformers.AutoModelForTokenClassification.from_pretrained(folder)
    return transformers.pipeline(
        "token-classification",
        model=model,
        tokenizer=tokenizer,
        aggregation_strategy=aggregation,
        device="cpu",
    )


@pytest.mark.parametrize("aggregation", get_args(Aggregation))
def test_entities_are_those_of_the_pipeline(folder: Path, aggregation: Aggregation) -> None:
    tagger = Tagger(
        str(folder), aggregation=aggregation, device="cpu", batches=BatchOptions(threads=1)
    )
    there = pipeline(folder, aggregation)
    count = joined = 0
    for text, ours in zip(TEXTS, tagger(TEXTS), strict=True):
        theirs = there(text)
        key = "entity" if aggregation == "none" else "entity_group"
        places = [(found[key], found["start"], found["end"]) for found in theirs]
        assert [(found.label, found.start, found.end) for found in ours] == places
        assert [found.score for found in ours] == pytest.approx(
            [float(found["score"]) for found in theirs], abs=1e-5
        )
        assert all(found.text == text[found.start : found.end] for found in ours)
        count += len(ours)
        joined += sum(" " in found.text for found in ours)
    assert count > 10
    assert bool(joined) == (aggregation != "none")


def test_words_of_a_sentence_are_labelled_as_its_text_is(folder: Path) -> None:
    """Where words are what the tokenizer makes of a text, both give the same entities."""
    sentence = "the film was very good , and i loved it !".split()
    tagger = Tagger(str(folder), device="cpu")
    tags = tagger.tag_words([sentence])[0]
    there = pipeline(folder, "first")(" ".join(sentence))
    starts = [len(" ".join([*sentence[:n], ""])) for n in range(len(sentence))]
    inside = [any(e["start"] <= start < e["end"] for e in there) for start in starts]
    assert [tag != "O" for tag in tags] == inside
