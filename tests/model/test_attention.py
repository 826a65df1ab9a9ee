import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from distilcli.checkpoint.config import ModelConfig
from distilcli.errors import UsageError
from distilcli.model.attention import SelfAttention, mask_bias_of
from distilcli.model.encoder import Encoder

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


def encoder(config: ModelConfig = TINY) -> Encoder:
    torch.manual_seed(0)
    return Encoder(config).eval()


def ids() -> Tensor:
    return torch.randint(1, 60, (2, 5), generator=torch.Generator().manual_seed(1))


def by_hand(module: SelfAttention, x: Tensor, factors: list[float]) -> Tensor:
    """Attention of one unpadded row (T, D), one head and one pair of tokens at a time."""
    q, k, v = (linear(x) for linear in (module.q_lin, module.k_lin, module.v_lin))
    size = module.head_dim
    context = torch.zeros_like(q)
    for head, factor in enumerate(factors):
        part = slice(head * size, (head + 1) * size)
        for asking in range(len(x)):
            scores = [float(q[asking, part] @ k[other, part]) for other in range(len(x))]
            weights = [math.exp(score / math.sqrt(size)) for score in scores]
            for other, weight in enumerate(weights):
                context[asking, part] += factor * weight / sum(weights) * v[other, part]
    return module.out_lin(context)


@torch.no_grad()
@pytest.mark.parametrize("factors", [[1.0, 1.0, 1.0, 1.0], [1.0, 0.0, 0.5, 2.0]])
def test_a_head_mask_is_a_factor_on_the_probabilities(factors: list[float]) -> None:
    module, x = attention(), states()
    mask = torch.tensor(factors)
    expected = torch.stack([by_hand(module, row, factors) for row in x])
    torch.testing.assert_close(module(x, x, None, mask), expected, atol=1e-6, rtol=1e-5)
    found, probabilities = module.with_probabilities(x, x, None, mask)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
    sums = probabilities.sum(3)
    torch.testing.assert_close(sums, mask[None, :, None].expand_as(sums))


@torch.no_grad()
@pytest.mark.parametrize("mask", [None, MASK])
def test_attention_with_its_probabilities_is_the_same_attention(mask: Tensor | None) -> None:
    module, x = attention(), states()
    bias = mask_bias_of(mask, x.dtype)
    found, probabilities = module.with_probabilities(x, x, bias)
    torch.testing.assert_close(found, module(x, x, bias), atol=1e-6, rtol=1e-5)
    assert probabilities.shape == (2, 4, 5, 5)
    assert mask is None or not probabilities[1, :, :, 2:].any()


@torch.no_grad()
def test_dropout_changes_the_output_and_not_the_probabilities_that_are_given() -> None:
    module, x = attention(replace(TINY, attention_dropout=0.5)), states()
    expected, probabilities = module.with_probabilities(x, x, None)
    module.train()
    torch.manual_seed(0)
    found, given = module.with_probabilities(x, x, None)
    assert torch.equal(given, probabilities)
    assert not torch.allclose(found, expected, atol=1e-3)
    # It is the way that training takes without asking for probabilities.
    torch.manual_seed(0)
    assert torch.equal(module(x, x, None), found)


@torch.no_grad()
@pytest.mark.parametrize("attentions", [False, True])
def test_every_layer_is_given_on_request(attentions: bool) -> None:
    model = encoder()
    found = model.forward_all(ids(), MASK, attentions=attentions)
    expected = model(ids(), MASK)
    assert len(found.hidden_states) == 4
    torch.testing.assert_close(found.hidden_states[0], model.embeddings(ids()))
    torch.testing.assert_close(found.hidden_states[-1], expected, atol=1e-5, rtol=0)
    if not attentions:
        assert found.attentions is None
        return
    assert found.attentions is not None
    assert [tuple(layer.shape) for layer in found.attentions] == [(2, 4, 5, 5)] * 3


@torch.no_grad()
def test_a_head_mask_reaches_the_layer_and_head_that_it_names() -> None:
    model = encoder()
    mask = torch.ones(3, 4)
    mask[1, 2] = 0
    plain, masked = (
        model.forward_all(ids(), head_mask=head_mask, attentions=True) for head_mask in (None, mask)
    )
    assert torch.equal(plain.hidden_states[1], masked.hidden_states[1])
    assert not torch.allclose(plain.hidden_states[2], masked.hidden_states[2], atol=1e-3)
    assert masked.attentions is not None
    silent = [(layer, head) for layer in range(3) for head in range(4)
              if not masked.attentions[layer][:, head].any()]  # fmt: skip
    assert silent == [(1, 2)]
    expected = model.forward_all(ids(), head_mask=mask).hidden_states[-1]
    torch.testing.assert_close(model(ids(), head_mask=mask), expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(
        model(ids(), head_mask=mask, first_token_only=True), expected[:, :1], atol=1e-5, rtol=0
    )


def test_a_head_mask_learns() -> None:
    mask = torch.ones(3, 4, requires_grad=True)
    encoder()(ids(), head_mask=mask)[:, 0, 0].sum().backward()
    assert mask.grad is not None
    assert (mask.grad != 0).all()


@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 4), (3, 4, 1)])
def test_a_head_mask_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"the model needs \(3, 4\), a factor for each head"):
        encoder()(ids(), head_mask=torch.ones(shape))


@pytest.mark.parametrize("mask", [None, MASK])
def test_attention_in_training_without_dropout_is_the_same_attention(mask: Tensor | None) -> None:
    module, x = attention(replace(TINY, attention_dropout=0.0)), states()
    bias = mask_bias_of(mask, x.dtype)
    expected = module(x, x, bias)
    assert torch.equal(module.train()(x, x, bias), expected)
    # The way that attention with dropout takes, at a rate that drops nothing.
    module.dropout.p = 1e-9
    torch.testing.assert_close(module(x, x, bias), expected, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_attention_with_dropout_is_on_average_the_same_attention() -> None:
    module, x = attention(replace(TINY, attention_dropout=0.3)), states()
    bias = mask_bias_of(MASK, x.dtype)
    expected = module(x, x, bias)
    torch.manual_seed(0)
    found = torch.stack([module.train()(x, x, bias) for _ in range(2_000)])
    assert (found.std(0) > 0).all()
    standard_error = found.std(0) / 2_000**0.5
    assert ((found.mean(0) - expected).abs() < 5 * standard_error).all()
