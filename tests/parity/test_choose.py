"""The same probabilities as transformers' multiple-choice models."""

from pathlib import Path
from typing import Any

import pytest
import torch

from distilcli.predictors.chooser import Chooser
from distilcli.tasks.settings import LongTexts

transformers = pytest.importorskip("transformers")

pytestmark = pytest.mark.parity

PROMPT = "The film was very"
OPTIONS = ["good , and i loved it !", "bad", "like a camera battery : dull"]


def probabilities(folder: Path, prompt: str, options: list[str], **settings: Any) -> list[float]:
    """What transformers' model of the folder gives, all options in one padded batch."""
    config = transformers.AutoConfig.from_pretrained(folder)
    is_bert = config.model_type == "bert"
    family = "BertForMultipleChoice" if is_bert else "DistilBertForMultipleChoice"
    model = getattr(transformers, family).from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer(
        [prompt] * len(options), options, padding=True, return_tensors="pt", **settings
    )
    if not is_bert:
        inputs.pop("token_type_ids", None)
    with torch.inference_mode():
        logits = model(**{name: tensor[None] for name, tensor in inputs.items()}).logits
    return logits[0].softmax(dim=-1).tolist()


@pytest.mark.parametrize("model_type", ["distilbert", "bert"])
def test_probabilities_are_theirs(make_model: Any, model_type: str) -> None:
    folder = make_model(head="MultipleChoice", model_type=model_type)
    expected = probabilities(folder, PROMPT, OPTIONS)
    (found,) = Chooser(str(folder), device="cpu")([(PROMPT, OPTIONS)])
    assert list(found.scores) == pytest.approx(expected, rel=1e-4)
    assert found.choice_index == expected.index(max(expected))
    assert found.choice == OPTIONS[found.choice_index]
    assert max(expected) - min(expected) > 0.01  # they are not all alike


@pytest.mark.parametrize("model_type", ["distilbert", "bert"])
def test_what_is_too_long_is_cut_as_theirs(make_model: Any, model_type: str) -> None:
    folder = make_model(head="MultipleChoice", model_type=model_type)
    prompt, options = PROMPT + " fun" * 9, [OPTIONS[0] * 3, OPTIONS[2]]
    expected = probabilities(folder, prompt, options, truncation="longest_first", max_length=16)
    (found,) = Chooser(str(folder), device="cpu", long_texts=LongTexts(max_length=16))(
        [(prompt, options)]
    )
    assert list(found.scores) == pytest.approx(expected, rel=1e-4)
