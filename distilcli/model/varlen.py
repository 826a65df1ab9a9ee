"""Rows of many lengths end to end, so that nothing is computed for padding.

Shapes: B rows of at most T tokens, N tokens in all, D = dim, H heads, S = D / heads unpruned.
"""

from functools import cache
from importlib import import_module
from importlib.util import find_spec

import torch
import torch.nn.functional as F
from torch import Tensor

_VARLEN = "torch.nn.attention.varlen"  # since torch 2.10
_HALVES = (torch.float16, torch.bfloat16)


class VariableLengths:
    """Where the tokens of a padded batch are, from its mask of ones and zeros (B, T).

    To find out, the host waits once for the device.
    """

    def __init__(self, attention_mask: Tensor) -> None:
        self._mask = attention_mask.bool()
        self._places = self._mask.flatten().nonzero()[:, 0]  # (N,)
        self._ends = F.pad(self._mask.sum(1).cumsum(0), (1, 0)).to(torch.int32)  # (B + 1,)

    def joined(self, x: Tensor) -> Tensor:
        """Set the tokens of (B, T, D) end to end: (1, N, D)."""
        return x.flatten(0, 1).index_select(0, self._places)[None]

    def padded(self, x: Tensor) -> Tensor:
        """Return (1, N, D) as (B, T, D), zeros for padding."""
        out = x.new_zeros(self._mask.numel(), x.shape[2])
        return out.index_copy_(0, self._places, x[0]).view(*self._mask.shape, x.shape[2])

    def firsts(self, x: Tensor) -> Tensor:
        """Return the first token of each row of (1, N, D): (1, B, D)."""
        return x[:, self._ends[:-1].long()]

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Attend within rows: keys and values (1, N, H, S); returns the shape of the queries.

        Those are (1, N, H, S), or (1, B, H, S) for the first token of each row.
        """
        if has_kernel(queries):
            return self._by_kernel(queries, keys, values)
        rows = [self._heads_first(x) for x in (keys, values)]
        if queries.shape[1] == keys.shape[1]:
            context = self._on_padded(self._heads_first(queries), *rows)
            return self.joined(context.transpose(1, 2))
        context = self._on_padded(queries[0][:, :, None], *rows)  # (B, H, 1, S)
        return context[:, :, 0][None]

    def _by_kernel(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        longest = self._mask.shape[1]
        asks_all = queries.shape[1] == keys.shape[1]
        starts = self._ends if asks_all else torch.arange(len(self._ends)).to(self._ends)
        out: Tensor = import_module(_VARLEN).varlen_attn(
            *(queries[0], keys[0], values[0]),
            *(starts, self._ends),
            *(longest if asks_all else 1, longest),
        )
        return out[None]

    def _heads_first(self, x: Tensor) -> Tensor:
        """Return (1, N, H, S) as (B, H, T, S), zeros for padding."""
        return torch.unflatten(self.padded(x.flatten(2)), 2, x.shape[2:]).transpose(1, 2)

    def _on_padded(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(
            queries, keys, values, attn_mask=self._mask[:, None, None, :]
        )


def has_kernel(x: Tensor) -> bool:
    """Whether torch has an attention over rows of many lengths for the like of `x`."""
    return x.device.type == "cuda" and x.dtype in _HALVES and _has_varlen()


@cache
def _has_varlen() -> bool:
    return find_spec(_VARLEN) is not None
