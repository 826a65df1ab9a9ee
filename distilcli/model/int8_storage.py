"""Weights stored as int8 rows with one scale per row: a quarter of the bytes of fp32.

A packed matrix `X.weight` (rows, columns) is an int8 tensor beside `X.weight_scale` (rows,) in
fp32; the value is `weight * scale`. Symmetric, so zero stays zero. Packing is for storage: a
packed checkpoint is unpacked to fp32 when it is read.
"""

import torch
from torch import Tensor

from distilcli.checkpoint.parameter_table import SCALE_SUFFIX
from distilcli.errors import ModelError

_STEPS = 127
_MATRIX = 2


def pack(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return `weights` with every matrix packed; vectors (biases, norms) stay as they are.

    A weight is off by at most half a step, 1/254 of the largest magnitude in its row.
    """
    packed: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if weight.dim() != _MATRIX:
            packed[name] = weight
            continue
        scale = weight.abs().amax(dim=1) / _STEPS
        # Any scale will do for a row of zeros.
        scale = torch.where(scale > 0, scale, torch.ones_like(scale))
        packed[name] = (weight / scale[:, None]).round().to(torch.int8)
        packed[name + SCALE_SUFFIX] = scale.to(torch.float32)
    return packed


def unpack(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return `weights` with every packed matrix as fp32, without the scales.

    Raises `ModelError` for other kinds of scales: other programs use the same names for their own
    formats.
    """
    unpacked: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if name.endswith(SCALE_SUFFIX) and name.removesuffix(SCALE_SUFFIX) in weights:
            continue
        scale = weights.get(name + SCALE_SUFFIX)
        if scale is None:
            unpacked[name] = weight
            continue
        if weight.dtype != torch.int8 or scale.shape != weight.shape[:1]:
            kind = str(weight.dtype).removeprefix("torch.")
            raise ModelError(
                f"the weight {name} is {kind} {tuple(weight.shape)} with scales "
                f"{tuple(scale.shape)}; only int8 rows with one scale each can be read"
            )
        unpacked[name] = weight * scale[:, None]
    return unpacked
