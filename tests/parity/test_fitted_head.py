"""A head that was fitted, with the block that averages, is an ordinary model for transformers."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from distilcli.predictors.classifier import Classifier
from distilcli.tasks.settings import BatchOptions
from tests.training.objectives._toy import learn
from tests.training.test_fitted_head import TEXTS, classified

transformers = pytest.importorskip("transformers")

pytestmark = pytest.mark.parity


@pytest.mark.slow
@pytest.mark.parametrize("model_type", ["distilbert", "bert"])
def test_transformers_gives_the_same_scores(
    make_model: Callable[..., Path], tmp_path: Path, model_type: str
) -> None:
    folder = tmp_path / "run"
    learn(
        make_model(head="BaseModel", model_type=model_type), classified(), folder, freeze="encoder"
    )
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        logits = theirs(**tokenizer(TEXTS[:5], padding=True, return_tensors="pt")).logits
    ours = Classifier(str(folder), device="cpu", batches=BatchOptions(threads=1))(TEXTS[:5])
    for row, scores in zip(ours, logits.softmax(-1), strict=True):
        assert row.scores == pytest.approx(scores.tolist(), abs=1e-5)
