"""Dense layers of a sentence-transformers folder, which follow the pooling."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from distilcli.checkpoint.sentence_transformers import DenseLayer
from distilcli.errors import ModelError
from distilcli.model.weights import read_file

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "gelu": torch.nn.functional.gelu,
}


def read_dense(layer: DenseLayer, width: int) -> tuple[Callable[[Tensor], Tensor], int]:
    """Return the layer as a function of vectors of `width`, and the width of its output."""
    weights = read_file(layer.path)
    weight, bias = weights.get("linear.weight"), weights.get("linear.bias")
    if weight is None:
        raise ModelError(f"{layer.path}: has no linear.weight; download the folder again")
    if weight.shape[1:] != (width,) or (bias is not None and bias.shape != weight.shape[:1]):
        raise ModelError(
            f"{layer.path}: a layer of shape {tuple(weight.shape)} does not take vectors of "
            f"{width} dimensions; download the folder again"
        )
    function = partial(
        _dense, weight.float(), None if bias is None else bias.float(), layer.activation
    )
    return function, weight.size(0)


def _dense(weight: Tensor, bias: Tensor | None, activation: str, x: Tensor) -> Tensor:
    return _ACTIVATIONS[activation](torch.nn.functional.linear(x, weight, bias))
