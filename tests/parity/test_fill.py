"""The same fills as transformers' pipeline, the same pseudo-perplexity as from its logits."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from distilcli.predictors.mask_filler import MaskFiller
from distilcli.tasks.settings import LongTexts

transformers = pytest.importorskip("transformers")

pytestmark = pytest.mark.parity

ONE = ["the film was [MASK] .", "[MASK] loved it", "i hated the [MASK] plot , and the sound"]
SEVERAL = "The [MASK] was very [MASK], but the [MASK] works!"


def pipeline(folder: Path, **settings: Any) -> Any:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return transformers.pipeline(
        "fill-mask", model=str(folder), tokenizer=tokenizer, device="cpu", **settings
    )


@pytest.mark.parametrize("model_type", ["distilbert", "bert"])
def test_fills_are_those_of_their_pipeline(make_model: Any, model_type: str) -> None:
    folder = make_model(head="MaskedLanguageModel", model_type=model_type)
    theirs = pipeline(folder, top_k=8)(ONE)
    ours = MaskFiller(str(folder), device="cpu", top_k=8)(ONE)
    for found, expected in zip(ours, theirs, strict=True):
        (fills,) = found.masks
        assert [fill.token for fill in fills] == [each["token_str"] for each in expected]
        scores = [each["score"] for each in expected]
        assert [fill.score for fill in fills] == pytest.approx(scores, rel=1e-4)
        assert found.score == pytest.approx(scores[0], rel=1e-4)


def test_several_masks_are_filled_as_theirs(make_model: Any) -> None:
    folder = make_model(head="MaskedLanguageModel")
    theirs = pipeline(folder, top_k=4)(SEVERAL)
    (found,) = MaskFiller(str(folder), device="cpu", top_k=4)([SEVERAL])
    assert len(theirs) == 3
    for fills, expected in zip(found.masks, theirs, strict=True):
        assert [fill.token for fill in fills] == [each["token_str"] for each in expected]
        scores = [each["score"] for each in expected]
        assert [fill.score for fill in fills] == pytest.approx(scores, rel=1e-4)
    product = math.prod(expected[0]["score"] for expected in theirs)
    assert found.score == pytest.approx(product, rel=1e-4)


def test_targets_have_their_probabilities(make_model: Any) -> None:
    folder = make_model(head="MaskedLanguageModel")
    targets = ["good", "bad", "##s", "fun"]
    theirs = pipeline(folder, top_k=4)(ONE[0], targets=targets)
    (found,) = MaskFiller(str(folder), device="cpu", targets=targets)(ONE[:1])
    (fills,) = found.masks
    assert [fill.token for fill in fills] == [each["token_str"] for each in theirs]
    assert [fill.score for fill in fills] == pytest.approx(
        [each["score"] for each in theirs], rel=1e-4
    )


@pytest.mark.parametrize("model_type", ["distilbert", "bert"])
def test_pseudo_perplexity_is_that_of_their_logits_one_by_one(
    make_model: Any, model_type: str
) -> None:
    folder = make_model(head="MaskedLanguageModel", model_type=model_type)
    texts = ["The film was good, but slow.", "it", "unlikely worked ! " * 5]
    model = transformers.AutoModelForMaskedLM.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    found = MaskFiller(str(folder), device="cpu").pseudo_perplexity(texts)
    for text, ours in zip(texts, found, strict=True):
        ids = tokenizer(text)["input_ids"]
        surprise = [-log_probability(model, tokenizer, ids, n) for n in range(1, len(ids) - 1)]
        expected = math.exp(sum(surprise) / len(surprise))
        assert ours.pseudo_perplexity == pytest.approx(expected, rel=1e-4)
        assert ours.n_tokens == len(surprise)
    assert len({round(each.pseudo_perplexity) for each in found}) == len(texts)


def log_probability(model: Any, tokenizer: Any, ids: list[int], place: int) -> float:
    """The log-probability of one token, which is masked, by transformers."""
    hidden = torch.tensor([ids])
    hidden[0, place] = tokenizer.mask_token_id
    with torch.inference_mode():
        logits = model(input_ids=hidden).logits[0, place].double()
    return float(logits.log_softmax(dim=-1)[ids[place]])


def test_a_long_text_is_read_as_theirs_reads_the_window(make_model: Any) -> None:
    """A token of a long text has the probability it has in the middle window, read alone."""
    folder = make_model(head="MaskedLanguageModel")
    words = "the film was good , and i loved it but the plot was dull".split()
    # Windows of 10 tokens that share 5: of 14 words, those from number 5 stand in the second.
    filler = MaskFiller(
        str(folder),
        device="cpu",
        top_k=3,
        long_texts=LongTexts(long="window", max_length=12, stride=5),
    )
    text = " ".join([*words[:8], "[MASK]", *words[9:]])
    (found,) = filler([text])
    window = " ".join([*words[5:8], "[MASK]", *words[9:]])
    alone = pipeline(folder, top_k=3)(window)
    assert [fill.token for fill in found.masks[0]] == [each["token_str"] for each in alone]
    assert found.score == pytest.approx(alone[0]["score"], rel=1e-4)
