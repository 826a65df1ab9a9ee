"""Compressed models give in transformers the numbers that they give here."""

from collections.abc import Callable
from pathlib import Path

import pytest

from distilcli.compression.run import compress
from distilcli.predictors.classifier import Classifier

transformers = pytest.importorskip("transformers")

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

Make = Callable[..., Path]
TEXTS = ["the film was good", "a bad movie , but fun", "i loved the acting"]


@pytest.mark.parametrize("model_type", ["distilbert", "bert"])
def test_layers_neurons_vocabulary_and_positions(
    make_model: Make, tmp_path: Path, model_type: str
) -> None:
    folder, data = make_model(model_type=model_type, n_layers=3), tmp_path / "rows.txt"
    data.write_text("\n".join(TEXTS) + "\n")
    small = tmp_path / "small"
    compress(
        str(folder), small, prune_layers="1", prune_ffn=0.5, prune_vocab=True, positions=16,
        data=str(data), seconds=0, device="cpu",
    )  # fmt: skip
    theirs = transformers.pipeline("text-classification", model=str(small), device="cpu")(TEXTS)
    for found, expected in zip(Classifier(str(small), device="cpu")(TEXTS), theirs, strict=True):
        assert found.label == expected["label"]
        assert found.score == pytest.approx(expected["score"], abs=1e-5)
