"""A trained model made ready to run: in the number format asked for, laid out for the processor.

What comes out is for inference alone: its linear maps no longer have weights that could be saved.
"""

import copy
from typing import TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distilcli.errors import ResourceError
from distilcli.model.device import padded_test_batch
from distilcli.model.encoder import Block
from distilcli.model.heads import TaskModel
from distilcli.model.int8 import Int8Attention, Int8FeedForward
from distilcli.model.precision import Precision, dtype_of, require_precision
from distilcli.model.prepacked import PackedLinear, can_pack
from distilcli.model.varlen import VarlenTransformer, has_kernel

Model = TypeVar("Model", bound=TaskModel)

_TOLERANCE = 0.05  # of the largest number: halves round, a wrong mask is off by far more


def for_inference(model: Model, precision: Precision, device: torch.device) -> Model:
    """Return a model that computes as `model`, which is on `device`, in `precision`.

    With int8 it is another model, which shares the tensors that stay as they are with the one it
    was made of; else it is that one, changed. Raises `ResourceError` where the device does not
    have the format, or computes something else in it. tf32 is a setting of torch's, and holds for
    the process until the next model is made ready.
    """
    require_precision(precision, device)
    if precision == "int8":
        return _quantised(model)
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    dtype = dtype_of(precision)
    if device.type == "cpu":
        model.to(dtype).eval()
        if can_pack(dtype):
            _pack(model)
    elif dtype is torch.float32:
        model.eval()
    else:
        _halve(model.eval(), dtype, device)
    return model


def _halve(model: TaskModel, dtype: torch.dtype, device: torch.device) -> None:
    """Let an accelerator compute in half precision, rows end to end where it has the kernel.

    Raises `ResourceError` where a test batch comes out otherwise than in fp32.
    """
    wanted = _test_states(model, device)
    model.to(dtype)
    if not _is_near(_test_states(model, device), wanted):
        raise ResourceError(
            f"{device}: its numbers in {dtype} differ from those in fp32 on a test batch; "
            "use --precision fp32"
        )
    if has_kernel(next(model.parameters())):
        join_rows(model, device, wanted)


def join_rows(model: TaskModel, device: torch.device, expected: Tensor) -> None:
    """Compute rows end to end if the device can and a test batch comes out as `expected`."""
    plain = model.distilbert.transformer
    model.distilbert.transformer = VarlenTransformer(plain)
    try:
        agrees = _is_near(_test_states(model, device), expected)
    except (RuntimeError, TypeError, ValueError):  # a card, or a width of heads, without kernels
        agrees = False
    if not agrees:
        model.distilbert.transformer = plain


def _test_states(model: TaskModel, device: torch.device) -> Tensor:
    """Return the last hidden states of the tokens of a padded test batch (N, D) in fp32."""
    input_ids, attention_mask = (x.to(device) for x in padded_test_batch(model.config.vocab_size))
    with torch.inference_mode():
        states: Tensor = model.distilbert(input_ids, attention_mask)
    return states[attention_mask.bool()].float()


def _is_near(found: Tensor, wanted: Tensor) -> bool:
    return bool((found - wanted).abs().max() <= _TOLERANCE * wanted.abs().max())


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
