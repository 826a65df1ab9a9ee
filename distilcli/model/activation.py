"""The activation functions that config.json may name."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from distilcli.errors import ModelError


def _gelu_tanh(x: Tensor) -> Tensor:
    return F.gelu(x, approximate="tanh")


def _quick_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    **dict.fromkeys(("gelu", "gelu_python"), F.gelu),
    **dict.fromkeys(
        ("gelu_new", "gelu_fast", "gelu_accurate", "gelu_pytorch_tanh", "gelu_python_tanh"),
        _gelu_tanh,
    ),
    "gelu_10": lambda x: F.gelu(x).clamp(-10, 10),
    "quick_gelu": _quick_gelu,
    "relu": F.relu,
    "relu2": lambda x: F.relu(x).square(),
    "relu6": F.relu6,
    "leaky_relu": F.leaky_relu,
    **dict.fromkeys(("silu", "swish"), F.silu),
    "hardswish": F.hardswish,
    "mish": F.mish,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "linear": lambda x: x,
}
"""Activation functions by the names that `transformers` gives them."""


def activation(name: str) -> Callable[[Tensor], Tensor]:
    """Return the activation called `name`; raise `ModelError` for an unknown name."""
    try:
        return ACTIVATIONS[name]
    except KeyError:
        known = ", ".join(ACTIVATIONS)
        raise ModelError(f"unknown activation {name!r}; known are {known}") from None
