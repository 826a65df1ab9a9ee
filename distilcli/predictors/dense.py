"""The steps of a sentence-transformers folder that follow the pooling, as functions of vectors."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from distilcli.checkpoint.sentence_transformers import Step
from distilcli.errors import ModelError
from distilcli.model.weights import read_file


def read_step(step: Step, width: int) -> tuple[Callable[[Tensor], Tensor], int]:
    """Return a step as a function of vectors of `width`, and the width of its output."""
    if step.kind == "Normalize":
        return partial(F.normalize, dim=-1), width
    if step.kind == "truncate_dim":
        width = min(step.dims, width)
        return partial(torch.narrow, dim=-1, start=0, length=width), width
    weights = {name: weight.float() for name, weight in read_file(step.path).items()}
    if step.kind == "LayerNorm":
        scale, shift = (_tensor(weights, f"norm.{x}", step, (width,)) for x in ("weight", "bias"))
        return partial(F.layer_norm, normalized_shape=(width,), weight=scale, bias=shift), width
    weight = _tensor(weights, "linear.weight", step, (-1, width))
    n_outputs = len(weight)
    bias = weights.get("linear.bias")
    if bias is not None:
        bias = _tensor(weights, "linear.bias", step, (n_outputs,))
    added: Tensor | None = None
    if step.residual and n_outputs != width:
        added = _tensor(weights, "residual.weight", step, (n_outputs, width))
    activation: Callable[[Tensor], Tensor] = getattr(torch.nn, step.activation)()

    def dense(x: Tensor) -> Tensor:
        out = activation(F.linear(x, weight, bias))
        if step.residual:
            out = out + (x if added is None else F.linear(x, added))
        return out

    return dense, n_outputs


def _tensor(weights: dict[str, Tensor], name: str, step: Step, shape: tuple[int, ...]) -> Tensor:
    """Return a weight of a step; -1 in `shape` stands for any size."""
    weight = weights.get(name)
    if weight is None:
        raise ModelError(f"{step.path}: has no {name}; download the folder again")
    sizes = tuple(weight.shape)
    if len(sizes) != len(shape) or any(b not in {-1, a} for a, b in zip(sizes, shape, strict=True)):
        raise ModelError(
            f"{step.path}: a layer of shape {sizes} does not take vectors of "
            f"{shape[-1]} dimensions; download the folder again"
        )
    return weight
