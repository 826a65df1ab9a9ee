"""A trained model made ready to run: in the number format asked for, laid out for the processor.

What comes out is for inference alone: its linear maps no longer have weights that could be saved.
"""

import copy
from typing import TypeVar, cast

import torch
import torch.nn.functional as F
from torch import nn

from distilcli.model.device import padded_test_batch
from distilcli.model.encoder import Block
from distilcli.model.heads import TaskModel
from distilcli.model.int8 import Int8Attention, Int8FeedForward
from distilcli.model.linear import PackedLinear, can_pack
from distilcli.model.precision import Precision, require_precision

Model = TypeVar("Model", bound=TaskModel)

_TOLERANCE = 0.05  # of the largest number: halves round, a wrong mask is off by far more

_DTYPES: dict[Precision, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}


def for_inference(model: Model, precision: Precision, device: torch.device) -> Model:
    """Return a model that computes as `model`, which is on `device`, in `precision`.

    With int8 it is another model, which shares the tensors that stay as they are with the one it
    was made of; else it is that one, changed. Raises `ResourceError` where the device does not
    have the format. tf32 is a setting of torch's, and holds for the process.
    """
    require_precision(precision, device)
    if precision == "int8":
        return _quantised(model)
    if precision == "tf32":
        torch.set_float32_matmul_precision("high")
    dtype = _DTYPES.get(precision, torch.float32)
    model.to(dtype).eval()
    if device.type == "cpu" and can_pack(dtype):
        _pack(model)
    if device.type == "cuda" and dtype is not torch.float32:
        join_rows(model, device)
    return model


def join_rows(model: TaskModel, device: torch.device) -> None:
    """Let a half-precision model compute rows end to end, if a test batch comes out as before."""
    input_ids, attention_mask = (x.to(device) for x in padded_test_batch(model.config.vocab_size))
    outputs = []
    for model.distilbert.joins_rows in (False, True):
        with torch.inference_mode():
            outputs.append(model.distilbert(input_ids, attention_mask).float())
    tokens = attention_mask.bool()
    difference = (outputs[1] - outputs[0])[tokens].abs().max()
    largest = outputs[0][tokens].abs().max()
    model.distilbert.joins_rows = bool(difference <= _TOLERANCE * largest)


def _blocks(model: TaskModel) -> list[Block]:
    return [cast("Block", block) for block in model.distilbert.transformer.layer]


def _quantised(model: Model) -> Model:
    """Copy the modules of a model, but none of its tensors, with int8 in its blocks."""
    tensors = [*model.parameters(), *model.buffers()]
    quantised = copy.deepcopy(model, {id(tensor): tensor for tensor in tensors})
    for block in _blocks(quantised):
        block.attention = Int8Attention(block.attention)
        block.ffn = Int8FeedForward(block.ffn)
    return quantised.eval()


def _pack(model: TaskModel) -> None:
    for block in _blocks(model):
        for name in ("q_lin", "k_lin", "v_lin", "out_lin"):
            setattr(block.attention, name, PackedLinear(getattr(block.attention, name)))
        network = block.ffn
        fuses = network.activation is F.gelu
        setattr(network, "lin1", PackedLinear(network.lin1, gelu=fuses))  # noqa: B010
        if fuses:
            network.activation = nn.Identity()
        setattr(network, "lin2", PackedLinear(network.lin2))  # noqa: B010
