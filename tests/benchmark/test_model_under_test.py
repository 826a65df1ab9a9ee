from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from distilcli.benchmark.model_under_test import (
    SHAPES,
    held_bytes,
    is_shape,
    open_model,
    random_model,
)
from distilcli.checkpoint.config import ModelConfig
from distilcli.engine.batching import pad
from distilcli.errors import UsageError
from distilcli.model.heads import BaseModel

SMALL = ModelConfig(vocab_size=30, dim=32, n_layers=2, n_heads=4, hidden_dim=48)


def test_the_shapes_are_those_of_the_models() -> None:
    with torch.device("meta"):
        counts = {
            name: sum(weight.numel() for weight in BaseModel(config).parameters())
            for name, config in SHAPES.items()
        }
    pooler = 768 * 768 + 768
    assert counts == {"distilbert-base": 66_362_880, "bert-base": 109_482_240 - pooler}


def test_random_weights_are_the_same_each_time_and_leave_other_draws_alone() -> None:
    torch.manual_seed(3)
    wanted = torch.rand(1)
    torch.manual_seed(3)
    one, other = random_model(BaseModel, SMALL), random_model(BaseModel, SMALL)
    assert torch.rand(1) == wanted
    states = one.state_dict(), other.state_dict()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_a_folder_of_that_name_is_no_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_shape("bert-base")
    (tmp_path / "bert-base").mkdir()
    assert not is_shape("bert-base")
    assert not is_shape("sentiment")


def test_bytes_by_precision() -> None:
    model = BaseModel(SMALL)
    weights = sum(weight.numel() for weight in model.parameters())
    assert held_bytes(model, "fp32") == held_bytes(model, "tf32") == 4 * weights
    assert held_bytes(model, "bf16") == held_bytes(model, "fp16") == 2 * weights
    matrices = 2 * (4 * 32 * 32 + 2 * 32 * 48)
    scales = 2 * (4 * 32 + 48 + 32)
    assert held_bytes(model, "int8") == matrices + 4 * (weights - matrices + scales)


@pytest.mark.slow
@pytest.mark.parametrize("model_type", ["distilbert", "bert"])
def test_batches_are_as_the_model_takes_them(
    make_model: Callable[..., Path], model_type: str
) -> None:
    folder = str(make_model(model_type=model_type))
    opened = open_model(folder, "fp32", device="cpu", offline=True, longest=6)
    pieces = opened.pieces(seq=6, batch=3)
    assert [len(piece) for piece in pieces] == [6, 6, 6]
    assert pieces == opened.pieces(seq=6, batch=3)
    assert (pieces[0].token_type_ids is None) == (model_type == "distilbert")
    batch = pad(pieces, pad_token_id=0, device=opened.device)
    with torch.inference_mode():
        assert opened.forward(batch) == [None] * 3


@pytest.mark.slow
def test_sequences_longer_than_the_model_reads(tiny_folder: Path) -> None:
    how = {"device": "cpu", "offline": True}
    open_model(str(tiny_folder), "fp32", **how, longest=64)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"sequences of 65 tokens: .* reads at most 64"):
        open_model(str(tiny_folder), "fp32", **how, longest=65)  # type: ignore[arg-type]
