import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from distilcli.checkpoint.config import ModelConfig
from distilcli.model import int8
from distilcli.model.attention import SelfAttention
from distilcli.model.encoder import FeedForward
from distilcli.model.int8 import Int8Attention, Int8FeedForward, Int8Linear, quantise

CONFIG = ModelConfig(dim=32, n_heads=4, hidden_dim=64, initializer_range=0.3)


def dequantised(codes: int8.Codes) -> torch.Tensor:
    return (codes.values.float() - 128) * codes.scale


@given(st.integers(0, 2**31), st.floats(1e-6, 1e6))
def test_a_code_is_at_most_half_a_step_off(seed: int, size: float) -> None:
    x = torch.randn(2, 3, 16, generator=torch.Generator().manual_seed(seed)) * size
    codes = quantise(x)
    assert codes.values.dtype is torch.uint8
    steps = (dequantised(codes) - x).abs() / codes.scale
    assert float(steps.max()) <= 0.5 + 1e-3
    largest = x.abs().amax(2, keepdim=True)
    assert torch.allclose(dequantised(codes).abs().amax(2, keepdim=True), largest, rtol=1e-5)


def test_nothing_stays_nothing() -> None:
    assert float(dequantised(quantise(torch.zeros(1, 2, 4))).abs().max()) == 0


@pytest.mark.parametrize("kernel", [True, False], ids=["onednn", "portable"])
def test_the_product_is_exact_but_for_the_codes(
    monkeypatch: pytest.MonkeyPatch, kernel: bool
) -> None:
    if kernel and not int8.has_kernel():
        pytest.skip("this torch has no int8 operators")
    monkeypatch.setattr(int8, "has_kernel", lambda: kernel)
    torch.manual_seed(0)
    first, second = nn.Linear(24, 8), nn.Linear(24, 5)
    codes = quantise(torch.randn(2, 3, 24))
    weight = torch.cat([first.weight, second.weight]).detach()
    scale = weight.abs().amax(1, keepdim=True) / int8.weight_steps()
    rounded = (weight / scale).round() * scale
    wanted = dequantised(codes) @ rounded.T + torch.cat([first.bias, second.bias])
    found = Int8Linear(first, second)(codes)
    assert found.dtype is torch.float32
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_a_token_does_not_see_its_neighbours() -> None:
    linear = Int8Linear(nn.Linear(16, 8))
    x = torch.randn(1, 4, 16)
    alone = linear(quantise(x[:, :1]))
    x[:, 1:] *= 1_000
    assert torch.equal(linear(quantise(x))[:, :1], alone)


def test_weights_keep_half_their_range_where_products_would_overflow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(int8, "has_kernel", lambda: True)
    monkeypatch.setattr(int8, "_is_exact", lambda steps: steps < 127)
    int8.weight_steps.cache_clear()
    try:
        assert int8.weight_steps() == 63
    finally:
        int8.weight_steps.cache_clear()


@pytest.mark.parametrize("error", [AttributeError, RuntimeError])
def test_operators_that_are_missing_are_not_used(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def fail(*_: object) -> None:
        raise error("no such operator")

    monkeypatch.setattr(int8, "_OneDnn", fail)
    int8.has_kernel.cache_clear()
    try:
        assert not int8.has_kernel()
    finally:
        int8.has_kernel.cache_clear()


@pytest.mark.parametrize("first", [False, True], ids=["all", "first token"])
def test_attention_is_near_that_in_fp32(first: bool) -> None:
    torch.manual_seed(0)
    attention = SelfAttention(CONFIG, layer=0).eval()
    x = torch.randn(2, 6, 32)
    with torch.inference_mode():
        wanted = attention(x, first_token_only=first)
        found = Int8Attention(attention)(x, first_token_only=first)
    assert found.shape == wanted.shape
    assert float((found - wanted).abs().max()) < 0.05 * float(wanted.abs().max())


@pytest.mark.parametrize("activation", ["gelu", "relu"])
@pytest.mark.parametrize("chunk", [0, 2])
def test_feed_forward_is_near_that_in_fp32(activation: str, chunk: int) -> None:
    torch.manual_seed(0)
    config = ModelConfig(
        dim=32,
        n_heads=4,
        hidden_dim=64,
        activation=activation,
        chunk_size_feed_forward=chunk,
    )
    network = FeedForward(config).eval()
    for linear in (network.lin1, network.lin2):
        nn.init.normal_(linear.weight, std=0.3)
    x = torch.randn(2, 6, 32)
    with torch.inference_mode():
        wanted, found = network(x), Int8FeedForward(network)(x)
    assert float((found - wanted).abs().max()) < 0.05 * float(wanted.abs().max())


@pytest.mark.slow
@pytest.mark.parametrize("instructions", ["AVX512_CORE", "AVX2"])
def test_products_are_right_without_vnni(instructions: str) -> None:
    """oneDNN is told to do without the instructions, as an older CPU does."""
    script = """
import torch
from torch import nn
from distilcli.model import int8
torch.manual_seed(0)
linear = nn.Linear(3072, 64).requires_grad_(False)
linear.weight.fill_(1.0)  # the largest codes everywhere
for tokens in (1, 64, 300):
    x = torch.ones(1, tokens, 3072)
    found = int8.Int8Linear(linear)(int8.quantise(x))
    assert torch.allclose(found, linear(x), rtol=2e-3), (tokens, found[0, 0, 0], linear(x)[0, 0, 0])
print(int8.has_kernel(), int8.weight_steps())
"""
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": instructions},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split()[1] in {"63", "127"}
