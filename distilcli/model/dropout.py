"""Dropout, several times as fast as torch's own on the CPU.

torch draws a number per element, on one core, which takes a quarter of a training step. Here one
64-bit number serves four elements: each gets 16 of its bits, and is dropped if they are below the
rate. The rate is exact to 1/65,536.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_VALUES = 1 << 16  # that 16 bits can have
_ELEMENTS_PER_DRAW = 4


class Dropout(nn.Module):
    """Zero a share `p` of the elements in training, and scale up the others to keep the mean."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Map a tensor of any shape to one of the same shape."""
        return dropout(x, self.p) if self.training and self.p else x

    def extra_repr(self) -> str:
        """Show the rate when the module is printed."""
        return f"p={self.p}"


def dropout(x: Tensor, p: float) -> Tensor:
    """Drop elements of `x` with probability `p`, drawing from torch's own generator."""
    dropped = round(p * _VALUES)
    if x.device.type != "cpu" or dropped == _VALUES:
        return F.dropout(x, p)
    draws = torch.empty(math.ceil(x.numel() / _ELEMENTS_PER_DRAW), dtype=torch.int64)
    draws.random_(-(1 << 63), None)
    bits = draws.view(torch.int16)[: x.numel()].view(x.shape)
    kept = bits >= dropped - _VALUES // 2
    return x * (kept * (_VALUES / (_VALUES - dropped))).to(x.dtype)
