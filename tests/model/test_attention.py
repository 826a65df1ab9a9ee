import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from distilcli.checkpoint.config import ModelConfig
from distilcli.model.attention import SelfAttention, mask_bias_of

TINY = ModelConfig(
    vocab_size=60,
    max_position_embeddings=40,
    dim=8,
    n_layers=3,
    n_heads=4,
    hidden_dim=16,
    initializer_range=0.3,
)
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])


def attention(config: ModelConfig = TINY) -> SelfAttention:
    torch.manual_seed(0)
    return SelfAttention(config, layer=0).eval()


def states() -> Tensor:
    return torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(1))


def by_hand(module: SelfAttention, x: Tensor) -> Tensor:
    """Attention of one unpadded row (T, D), one head and one pair of tokens at a time."""
    q, k, v = (linear(x) for linear in (module.q_lin, module.k_lin, module.v_lin))
    size = module.head_dim
    context = torch.zeros_like(q)
    for head in range(len(module.heads)):
        part = slice(head * size, (head + 1) * size)
        for asking in range(len(x)):
            scores = [float(q[asking, part] @ k[other, part]) for other in range(len(x))]
            weights = [math.exp(score / math.sqrt(size)) for score in scores]
            for other, weight in enumerate(weights):
                context[asking, part] += weight / sum(weights) * v[other, part]
    return module.out_lin(context)


def with_probabilities(
    module: SelfAttention, x: Tensor, bias: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    context, probabilities = module.attend(*module.project(x, x), bias)
    return module.merge(context), probabilities


@torch.no_grad()
def test_attention_follows_its_formula() -> None:
    module, x = attention(), states()
    expected = torch.stack([by_hand(module, row) for row in x])
    torch.testing.assert_close(module(x), expected, atol=1e-6, rtol=1e-5)
    found, probabilities = with_probabilities(module, x)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(probabilities.sum(3), torch.ones(2, 4, 5))


@torch.no_grad()
@pytest.mark.parametrize("mask", [None, MASK])
def test_attention_with_its_probabilities_is_the_same_attention(mask: Tensor | None) -> None:
    module, x = attention(), states()
    bias = mask_bias_of(mask, x.dtype)
    found, probabilities = with_probabilities(module, x, bias)
    torch.testing.assert_close(found, module(x, bias), atol=1e-6, rtol=1e-5)
    assert probabilities.shape == (2, 4, 5, 5)
    assert mask is None or not probabilities[1, :, :, 2:].any()


@torch.no_grad()
def test_the_first_token_alone_attends_as_it_does_among_all() -> None:
    module, x = attention(), states()
    bias = mask_bias_of(MASK, x.dtype)
    found = module(x, bias, first_token_only=True)
    torch.testing.assert_close(found, module(x, bias)[:, :1], atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_dropout_changes_the_output_and_not_the_probabilities() -> None:
    module, x = attention(replace(TINY, attention_dropout=0.5)), states()
    expected, probabilities = with_probabilities(module, x)
    module.train()
    torch.manual_seed(0)
    found, given = with_probabilities(module, x)
    assert torch.equal(given, probabilities)
    assert not torch.allclose(found, expected, atol=1e-3)
    # Training computes the same without asking for probabilities.
    torch.manual_seed(0)
    assert torch.equal(module(x), found)


@pytest.mark.parametrize("mask", [None, MASK])
def test_attention_in_training_without_dropout_is_the_same_attention(mask: Tensor | None) -> None:
    module, x = attention(replace(TINY, attention_dropout=0.0)), states()
    bias = mask_bias_of(mask, x.dtype)
    expected = module(x, bias)
    assert torch.equal(module.train()(x, bias), expected)
    # The way that attention with dropout takes, at a rate that drops nothing.
    module.dropout.p = 1e-9
    torch.testing.assert_close(module(x, bias), expected, atol=1e-6, rtol=1e-5)


@pytest.mark.slow
@torch.no_grad()
def test_attention_with_dropout_is_on_average_the_same_attention() -> None:
    module, x = attention(replace(TINY, attention_dropout=0.3)), states()
    bias = mask_bias_of(MASK, x.dtype)
    expected = module(x, bias)
    torch.manual_seed(0)
    found = torch.stack([module.train()(x, bias) for _ in range(2_000)])
    assert (found.std(0) > 0).all()
    standard_error = found.std(0) / 2_000**0.5
    assert ((found.mean(0) - expected).abs() < 5 * standard_error).all()
