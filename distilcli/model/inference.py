"""Prepare a trained model for inference: in the chosen precision, laid out for the processor.

The result cannot be saved: its linear maps no longer hold plain weights.
"""

import copy
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distilcli.errors import ResourceError
from distilcli.model.device import padded_test_batch
from distilcli.model.encoder import Block
from distilcli.model.heads import TaskModel
from distilcli.model.int8 import Int8Attention, Int8FeedForward
from distilcli.model.precision import dtype_of, require_precision
from distilcli.model.precision_name import Precision
from distilcli.model.prepacked import PackedLinear, can_pack
from distilcli.model.threads import each_on_a_core
from distilcli.model.varlen import VarlenTransformer, has_kernel

Model = TypeVar("Model", bound=TaskModel)

_TOLERANCE = 0.05  # of the largest number: half precision rounds, a wrong mask is far more off


def for_inference(model: Model, precision: Precision, device: torch.device) -> Model:
    """Return `model`, which is on `device`, ready to compute in `precision`.

    int8 makes a new model that shares the tensors it does not quantise with `model`; the others
    change `model` itself. Raises `ResourceError` if the device lacks the format, or computes
    something else in it. tf32 is a setting of the whole process, until the next call.

    On the CPU, the same batch gives the same bits with the same number of threads. Another number
    may change the last bits: kernels then split sums differently.
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
            each_on_a_core(_pack, model.distilbert.transformer.blocks)
    elif dtype is torch.float32:
        model.eval()
    else:
        _halve(model.eval(), dtype, device)
    return model


def block_for(block: Block, precision: Precision, device: torch.device) -> Block:
    """Return a copy of a block, which is on `device`, that computes in `precision`."""
    copied = copy.deepcopy(block).to(dtype_of(precision)).eval()
    if precision == "int8":
        _quantise(copied)
    elif device.type == "cpu" and can_pack(dtype_of(precision)):
        _pack(copied)
    return copied


def _halve(model: TaskModel, dtype: torch.dtype, device: torch.device) -> None:
    """Compute in half precision on an accelerator, rows end to end if it has the kernel.

    Raises `ResourceError` if a test batch does not come out as in fp32.
    """
    expected = _test_states(model, device)
    model.to(dtype)
    if not _is_near(_test_states(model, device), expected):
        raise ResourceError(
            f"{device}: numbers in {dtype} differ from those in fp32 on a test batch; "
            "use `precision` fp32"
        )
    if has_kernel(next(model.parameters())):
        join_rows(model, device, expected)


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


def _is_near(found: Tensor, expected: Tensor) -> bool:
    return bool((found - expected).abs().max() <= _TOLERANCE * expected.abs().max())


def _quantised(model: Model) -> Model:
    """Copy the modules of a model, but not its tensors, and swap int8 into its blocks."""
    tensors = [*model.parameters(), *model.buffers()]
    quantised = copy.deepcopy(model, {id(tensor): tensor for tensor in tensors})
    each_on_a_core(_quantise, quantised.distilbert.transformer.blocks)
    return quantised.eval()


def _quantise(block: Block) -> None:
    block.attention = Int8Attention(block.attention)
    block.ffn = Int8FeedForward(block.ffn)


def _pack(block: Block) -> None:
    for name in ("q_lin", "k_lin", "v_lin", "out_lin"):
        setattr(block.attention, name, PackedLinear(getattr(block.attention, name)))
    network = block.ffn
    fuses = network.activation is F.gelu
    setattr(network, "lin1", PackedLinear(network.lin1, gelu=fuses))  # noqa: B010
    if fuses:
        network.activation = nn.Identity()
    setattr(network, "lin2", PackedLinear(network.lin2))  # noqa: B010
