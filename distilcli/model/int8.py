"""Blocks that compute their linear maps in int8: a scale per weight row, a scale per token.

A weight row w (one output) is stored as integers round(w / s), s = max|w| / 127. The activations of
a token are quantised on the fly, x ≈ t·(q - 128) with t = max|x| / 127, so that nothing has to be
calibrated and no token depends on its neighbours. The product is exact in integers; the rest
(softmax, GELU, sums, LayerNorm) stays in fp32.

Shapes: B rows, T tokens, N inputs, M outputs.
"""

from functools import cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distilcli.model.attention import SelfAttention
from distilcli.model.encoder import FeedForward

_ZERO = 128  # the code of 0: oneDNN's kernels take unsigned activations
_STEPS = 127
_STEPS_WITHOUT_VNNI = 63
_MIN_SCALE = 1e-12  # of a token that is all zeros
_MIN_GELU = 0.17  # GELU is never below -0.17


class Codes(NamedTuple):
    """Quantised activations: `values` (B, T, N) uint8 and the `scale` (B, T, 1) of each token."""

    values: Tensor
    scale: Tensor


def quantise(x: Tensor) -> Codes:
    """Quantise activations (B, T, N) token by token."""
    return _quantised(x, torch.maximum(x.amax(2, keepdim=True), -x.amin(2, keepdim=True)))


def _quantised(x: Tensor, largest: Tensor) -> Codes:
    scale = largest.clamp_(min=_MIN_SCALE) / _STEPS
    values = torch.mul(x, scale.reciprocal()).round_().to(torch.int8)
    # Adding 128 flips the top bit.
    return Codes(values.view(torch.uint8).bitwise_xor_(_ZERO), scale)


class Int8Linear(nn.Module):
    """A linear map of quantised activations, for inference on the CPU.

    `multiply` is the integer product alone, without bias and token scales.
    """

    def __init__(self, *linears: nn.Linear) -> None:
        """Concatenate the outputs of `linears`, which have the same input."""
        super().__init__()
        self.bias = torch.cat([linear.bias.detach().float() for linear in linears])
        parts = [_quantised_rows(linear.weight.detach().float()) for linear in linears]
        rows, self._scale = (torch.cat(each) for each in zip(*parts, strict=True))
        self.multiply = (_OneDnn if has_kernel() else _Portable)(rows, self._scale)

    def forward(self, codes: Codes) -> Tensor:
        """Map quantised (B, T, N) to (B, T, M) in fp32."""
        product = self.multiply(codes.values)
        return torch.addcmul(self.bias, product, codes.scale, out=product)


def _quantised_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the codes (M, N) int8 of weight rows (M, N), and the scale (M,) of each."""
    largest = torch.maximum(weight.amax(1), -weight.amin(1))
    scale = largest.clamp_(min=_MIN_SCALE) / weight_steps()
    return (weight / scale[:, None]).round_().to(torch.int8), scale


class _OneDnn:
    """Integer products by oneDNN, through operators private to torch."""

    def __init__(self, rows: Tensor, scale: Tensor) -> None:
        self._weight = _OPERATORS.qlinear_prepack(rows, None)
        self._scale = scale
        self._zeros = torch.zeros(len(rows), dtype=torch.int64)

    def __call__(self, codes: Tensor) -> Tensor:
        """Return (codes - 128) times the rows times their scales: (B, T, M) fp32."""
        product: Tensor = _OPERATORS.qlinear_pointwise(
            *(codes, 1.0, _ZERO, self._weight, self._scale, self._zeros, None),
            *(1.0, 0, torch.float32, "none", [], ""),
        )
        return product


class _Portable:
    """The same product with whole numbers in fp32: correct on any CPU, and slow."""

    def __init__(self, rows: Tensor, scale: Tensor) -> None:
        self._rows, self._scale = rows, scale

    def __call__(self, codes: Tensor) -> Tensor:
        """Return (codes - 128) times the rows times their scales: (B, T, M) fp32."""
        return F.linear(codes.float() - _ZERO, self._rows.float()) * self._scale


class Int8Attention(SelfAttention):
    """Self-attention whose projections are int8; the attention itself stays in fp32."""

    def __init__(self, attention: SelfAttention) -> None:
        nn.Module.__init__(self)
        self.heads, self.head_dim = attention.heads, attention.head_dim
        self.dropout = attention.dropout
        self.queries = Int8Linear(attention.q_lin)
        self.keys_values = Int8Linear(attention.k_lin, attention.v_lin)
        self.out = Int8Linear(attention.out_lin)

    def project(self, querying: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values as `SelfAttention.project` does."""
        codes = quantise(x)
        keys, values = self.keys_values(codes).chunk(2, dim=2)
        queries = self.queries(codes if querying is x else quantise(querying))
        return self.split_heads(queries), self.split_heads(keys), self.split_heads(values)

    def merge(self, context: Tensor) -> Tensor:
        """Map the heads' context (B, H, Q, S) to the output (B, Q, D)."""
        out: Tensor = self.out(quantise(context.transpose(1, 2).flatten(2)))
        return out


class Int8FeedForward(FeedForward):
    """The feed-forward network with both maps in int8."""

    def __init__(self, network: FeedForward) -> None:
        nn.Module.__init__(self)
        self.chunk_size, self.activation = network.chunk_size, network.activation
        self.dropout = network.dropout
        self.first, self.second = Int8Linear(network.lin1), Int8Linear(network.lin2)

    def _chunk(self, x: Tensor) -> Tensor:
        hidden = self.first(quantise(x))
        if self.activation is F.gelu:
            hidden = torch.ops.aten.gelu_(hidden)
            largest = hidden.amax(2, keepdim=True).clamp_(min=_MIN_GELU)
            codes = _quantised(hidden, largest)
        else:
            codes = quantise(self.activation(hidden))
        out: Tensor = self.second(codes)
        return out


@cache
def has_kernel() -> bool:
    """Whether oneDNN's operators exist and multiply integers correctly."""
    try:
        return _is_exact(_STEPS_WITHOUT_VNNI)
    except (AttributeError, RuntimeError, TypeError):
        return False


@cache
def weight_steps() -> int:
    """Return the largest weight code for which products are exact.

    CPUs without VNNI add pairs of products in 16 bits, which overflow unless weights use half
    their range.
    """
    return _STEPS if not has_kernel() or _is_exact(_STEPS) else _STEPS_WITHOUT_VNNI


def _is_exact(steps: int) -> bool:
    """Try the worst case: the largest activations on the largest weights."""
    rows = torch.full((64, 768), steps, dtype=torch.int8)
    codes = torch.full((1, 64, 768), 255, dtype=torch.uint8)
    product = _OneDnn(rows, torch.ones(64))(codes)
    return bool((product == (255 - _ZERO) * steps * 768).all())


_OPERATORS: Any = torch.ops.onednn
