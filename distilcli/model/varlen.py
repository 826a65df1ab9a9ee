"""Rows of different lengths end to end, so that nothing is computed for padding.

Shapes: B rows of at most T tokens, N tokens in all, D = dim, H heads, S = head_dim.
"""

from functools import cache
from importlib import import_module
from importlib.util import find_spec

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distilcli.model.encoder import Transformer

_VARLEN = "torch.nn.attention.varlen"  # since torch 2.10
_HALVES = (torch.float16, torch.bfloat16)


class VarlenTransformer(Transformer):
    """Stands in for a transformer, with the same layers, for inference."""

    def __init__(self, transformer: Transformer) -> None:
        nn.Module.__init__(self)
        self.layer = transformer.layer
        self.gradient_checkpointing = False

    def forward(
        self, x: Tensor, attention_mask: Tensor | None = None, *, first_token_only: bool = False
    ) -> Tensor:
        """Map (B, T, D) to (B, T, D), zeros for padding; to (B, 1, D) with `first_token_only`."""
        if attention_mask is None:
            return super().forward(x, first_token_only=first_token_only)
        rows, last = VariableLengths(attention_mask), len(self.layer) - 1
        x = rows.join(x)
        for depth, block in enumerate(self.layer):
            querying = rows.first_tokens(x) if first_token_only and depth == last else x
            context = rows.attend(*block.attention.project(querying, x))
            x = block.after_attention(querying, block.attention.merge(context))
        return x[0][:, None] if first_token_only else rows.pad(x)


class VariableLengths:
    """Where the tokens of a padded batch are, from its mask of ones and zeros (B, T).

    To count them, the host waits once for the device.
    """

    def __init__(self, attention_mask: Tensor) -> None:
        self._mask = attention_mask.bool()
        self._positions = self._mask.flatten().nonzero()[:, 0]  # (N,)
        self._ends = F.pad(self._mask.sum(1).cumsum(0), (1, 0)).to(torch.int32)  # (B + 1,)

    def join(self, x: Tensor) -> Tensor:
        """Set the tokens of (B, T, D) end to end: (1, N, D)."""
        return x.flatten(0, 1).index_select(0, self._positions)[None]

    def pad(self, x: Tensor) -> Tensor:
        """Return (1, N, D) as (B, T, D), zeros for padding."""
        out = x.new_zeros(self._mask.numel(), x.shape[2])
        return out.index_copy_(0, self._positions, x[0]).view(*self._mask.shape, x.shape[2])

    def first_tokens(self, x: Tensor) -> Tensor:
        """Return the first token of each row of (1, N, D): (1, B, D)."""
        return x[:, self._ends[:-1].long()]

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Attend within rows: keys and values (1, H, N, S); returns the shape of the queries.

        Those are (1, H, N, S), or (1, H, B, S) for the first token of each row.
        """
        asks_all = queries.shape[2] == keys.shape[2]
        if has_kernel(queries):
            return self._by_kernel(queries, keys, values, asks_all=asks_all)
        padded = self._pad_heads(queries) if asks_all else queries[0].transpose(0, 1)[:, :, None]
        context = F.scaled_dot_product_attention(
            padded,
            self._pad_heads(keys),
            self._pad_heads(values),
            attn_mask=self._mask[:, None, None, :],
        )  # (B, H, T or 1, S)
        if not asks_all:
            return context[:, :, 0].transpose(0, 1)[None]
        return self.join(context.transpose(1, 2)).transpose(1, 2)

    def _by_kernel(
        self, queries: Tensor, keys: Tensor, values: Tensor, *, asks_all: bool
    ) -> Tensor:
        longest = self._mask.shape[1]
        starts = self._ends if asks_all else torch.arange(len(self._ends)).to(self._ends)
        out: Tensor = import_module(_VARLEN).varlen_attn(
            *(x[0].transpose(0, 1) for x in (queries, keys, values)),
            *(starts, self._ends),
            *(longest if asks_all else 1, longest),
        )  # (N or B, H, S)
        return out.transpose(0, 1)[None]

    def _pad_heads(self, x: Tensor) -> Tensor:
        """Return (1, H, N, S) as (B, H, T, S), zeros for padding."""
        heads_last = x.transpose(1, 2)
        return self.pad(heads_last.flatten(2)).unflatten(2, heads_last.shape[2:]).transpose(1, 2)


def has_kernel(x: Tensor) -> bool:
    """Whether torch has variable-length attention for the device and type of `x`."""
    return x.device.type == "cuda" and x.dtype in _HALVES and _has_varlen()


@cache
def _has_varlen() -> bool:
    return find_spec(_VARLEN) is not None
