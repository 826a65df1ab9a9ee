"""Linear maps whose weights are laid out for the processor once, by oneDNN's operators in torch.

torch's own `linear` does that at every call. The operators are private to torch: they are tried
once, and without them `nn.Linear` stays.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn


class PackedLinear(nn.Module):
    """An `nn.Linear` for inference on the CPU, in its own number format.

    With `gelu`, the exact GELU is applied in the same pass.
    """

    def __init__(self, linear: nn.Linear, *, gelu: bool = False) -> None:
        super().__init__()
        self._weight = _OPERATORS._reorder_linear_weight(linear.weight.detach())
        self._bias = linear.bias.detach()
        self._then = "gelu" if gelu else "none"

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., inputs) to (..., outputs)."""
        out: Tensor = _OPERATORS._linear_pointwise(
            x, self._weight, self._bias, self._then, [], "none"
        )
        return out


@cache
def can_pack(dtype: torch.dtype) -> bool:
    """Whether the operators exist and compute what `linear` computes."""
    with torch.random.fork_rng(devices=[]):
        linear = nn.Linear(64, 64).to(dtype).requires_grad_(False)
    x = torch.linspace(-1, 1, 64 * 64).reshape(64, 64).to(dtype)
    try:
        packed = PackedLinear(linear, gelu=True)(x)
    except (AttributeError, RuntimeError, TypeError):
        return False
    expected = torch.nn.functional.gelu(linear(x))
    return bool(torch.allclose(packed.float(), expected.float(), rtol=0, atol=_TOLERANCE[dtype]))


_OPERATORS: Any = torch.ops.mkldnn
_TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 2e-2}
