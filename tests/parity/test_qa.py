"""The same answers and scores as from transformers' logits, over every span one by one."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distilcli.predictors.answerer import Answerer
from distilcli.tasks.settings import BatchOptions, LongTexts

transformers = pytest.importorskip("transformers")

pytestmark = pytest.mark.parity

QUESTION = "was the film good ?"
CONTEXT = "i loved the Film , and the plot was GREAT fun . the sound was poor . "
CONTEXTS = {"one window": CONTEXT, "several windows": CONTEXT * 6 + "but it works !"}
MAX_LENGTH, STRIDE, LONGEST_ANSWER = 48, 12, 7

Span = tuple[int, int]


def windows_of_theirs(folder: Path, context: str, **settings: Any) -> Iterator[dict[str, Any]]:
    """Yield the logits of each window, with the offsets of the context's tokens."""
    model = transformers.AutoModelForQuestionAnswering.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    windows = tokenizer(
        QUESTION,
        context,
        truncation="only_second",
        max_length=MAX_LENGTH,
        stride=STRIDE,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_token_type_ids=True,
    )
    for number in range(len(windows["input_ids"])):
        inputs = {"input_ids": torch.tensor([windows["input_ids"][number]])}
        if model.config.model_type == "bert":
            inputs["token_type_ids"] = torch.tensor([windows["token_type_ids"][number]])
        with torch.inference_mode():
            outputs = model(**inputs)
        yield {
            "starts": outputs.start_logits[0].double().numpy(),
            "ends": outputs.end_logits[0].double().numpy(),
            "offsets": windows["offset_mapping"][number],
            "in_context": [part == 1 for part in windows.sequence_ids(number)],
        }


def every_span(folder: Path, context: str) -> tuple[dict[Span, float], float]:
    """Return the probability of each span of characters, and of no answer, by brute force."""
    weights: dict[Span, float] = {}
    no_answers = []
    for window in windows_of_theirs(folder, context):
        places = [place for place, inside in enumerate(window["in_context"]) if inside]
        no_answers.append(window["starts"][0] + window["ends"][0])
        for first in places:
            for last in places:
                if first <= last < first + LONGEST_ANSWER:
                    span = (window["offsets"][first][0], window["offsets"][last][1])
                    weight = math.exp(window["starts"][first] + window["ends"][last])
                    weights[span] = weights.get(span, 0.0) + weight
    nothing = math.exp(min(no_answers))
    total = sum(weights.values()) + nothing
    return {span: weight / total for span, weight in weights.items()}, nothing / total


@pytest.mark.parametrize("model_type", ["distilbert", "bert"])
@pytest.mark.parametrize("context", CONTEXTS.values(), ids=CONTEXTS)
def test_scores_are_those_of_every_span_one_by_one(
    make_model: Any, model_type: str, context: str
) -> None:
    folder = make_model(head="QuestionAnswerer", model_type=model_type)
    expected, nothing = every_span(folder, context)
    answerer = Answerer(
        str(folder),
        device="cpu",
        top_k=len(expected) + 1,
        max_answer_length=LONGEST_ANSWER,
        batches=BatchOptions(threads=1),
        long_texts=LongTexts(long="window", max_length=MAX_LENGTH, stride=STRIDE),
    )
    (found,) = answerer([(QUESTION, context)])
    scores = {(answer.start, answer.end): answer.score for answer in found.ranked}
    assert scores == pytest.approx(expected, rel=1e-4, abs=1e-9)
    assert len(found.ranked) == len(expected)
    assert found.no_answer_score == pytest.approx(nothing, rel=1e-4)
    assert found.best.score == pytest.approx(max(expected.values()), rel=1e-4)
    assert len({round(score, 6) for score in scores.values()}) > 20  # they are not all alike


@pytest.mark.parametrize("seed", range(4))
def test_the_best_span_is_that_of_their_pipeline(make_model: Any, seed: int) -> None:
    """As transformers 4's pipeline decodes one window: outer product, upper band, greatest."""
    folder = make_model(head="QuestionAnswerer", seed=seed)
    (window,) = windows_of_theirs(folder, CONTEXT)
    outside = ~np.array(window["in_context"])
    starts, ends = (np.where(outside, -10000.0, window[name]) for name in ("starts", "ends"))
    start, end = (np.exp(x - x.max()) / np.exp(x - x.max()).sum() for x in (starts, ends))
    outer = np.tril(np.triu(np.outer(start, end)), LONGEST_ANSWER - 1)
    first, last = np.unravel_index(outer.argmax(), outer.shape)
    expected = (window["offsets"][first][0], window["offsets"][last][1])
    (found,) = Answerer(str(folder), device="cpu", max_answer_length=LONGEST_ANSWER)(
        [(QUESTION, CONTEXT)]
    )
    assert (found.best.start, found.best.end) == expected
