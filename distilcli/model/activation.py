"""The activation functions that config.json may name."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from distilcli.errors import ModelError


def _gelu_tanh(x: Tensor) -> Tensor:
    return F.gelu(x, approximate="tanh")


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_new": _gelu_tanh,
    "gelu_pytorch_tanh": _gelu_tanh,
    "relu": F.relu,
    "silu": F.silu,
    "swish": F.silu,
}


def activation(name: str) -> Callable[[Tensor], Tensor]:
    """Return the activation called `name`; raise `ModelError` for an unknown name."""
    try:
        return ACTIVATIONS[name]
    except KeyError:
        known = ", ".join(ACTIVATIONS)
        raise ModelError(f"unknown activation {name!r}; known are {known}") from None
