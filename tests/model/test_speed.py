"""The speed of a layer: timed in what the device has, with the model left as it was."""

from pathlib import Path

import pytest
import torch

from distilcli.checkpoint.locate import locate
from distilcli.model import speed
from distilcli.model.heads import SequenceClassifier
from distilcli.model.loading import load_model
from distilcli.model.precision import has_bf16
from distilcli.model.speed import layer_seconds

CPU = torch.device("cpu")


@pytest.fixture
def model(tiny_folder: Path) -> SequenceClassifier:
    return load_model(locate(str(tiny_folder)), SequenceClassifier).model


def test_a_layer_is_timed_in_what_the_cpu_has(model: SequenceClassifier) -> None:
    seconds = layer_seconds(model, CPU)
    has = {"fp32": True, "bf16": has_bf16(CPU), "int8": speed.has_kernel()}
    assert set(seconds) == {name for name, is_here in has.items() if is_here}
    assert all(0 < found < 60 for found in seconds.values())


def test_without_kernels_int8_is_left_out(
    model: SequenceClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "has_kernel", lambda: False)
    assert "int8" not in layer_seconds(model, CPU)


def test_the_model_stays_as_it_was(model: SequenceClassifier) -> None:
    ids = torch.tensor([[2, 7, 9, 3]])
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    with torch.inference_mode():
        expected = model(ids)
        layer_seconds(model, CPU)
        assert torch.equal(model(ids), expected)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert all(parameter.dtype is torch.float32 for parameter in model.parameters())
