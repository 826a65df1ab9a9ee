from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from distilcli.benchmark.flops import forward_flops
from distilcli.benchmark.model_under_test import SHAPES
from distilcli.checkpoint.config import ModelConfig
from distilcli.model.capture import forward_all
from distilcli.model.heads import BaseModel
from distilcli.model.surgery import prune_heads


@pytest.mark.parametrize(("shape", "gflop"), [("distilbert-base", 11.17), ("bert-base", 22.35)])
def test_known_models_cost_what_is_known_of_them(shape: str, gflop: float) -> None:
    assert forward_flops(SHAPES[shape], 128) / 1e9 == pytest.approx(gflop, abs=0.005)


@pytest.mark.parametrize("pruned", [{}, {0: [1, 2], 1: [0]}])
def test_it_is_what_torch_counts(pruned: dict[int, list[int]]) -> None:
    model = BaseModel(
        ModelConfig(vocab_size=30, dim=32, n_layers=2, n_heads=4, hidden_dim=48)
    ).eval()
    prune_heads(model, pruned)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        # With probabilities attention is two plain products, which torch can count anywhere.
        forward_all(model.distilbert, torch.ones(1, 7, dtype=torch.int64), attentions=True)
    assert forward_flops(model.config, 7) == counter.get_total_flops()


def test_attention_grows_with_the_square() -> None:
    config = replace(SHAPES["distilbert-base"], n_layers=1)
    one, two, four = (forward_flops(config, 64 * n) for n in (1, 2, 4))
    square = 2 * 2 * 64**2 * config.dim
    assert two - 2 * one == 2 * square
    assert four - 2 * two == 8 * square
