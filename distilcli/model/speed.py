"""How fast a model is on its device in each number format that the device has."""

from functools import partial

import torch
from torch import Tensor, nn

from distilcli.errors import ResourceError
from distilcli.model.heads import TaskModel
from distilcli.model.inference import block_for
from distilcli.model.int8 import has_kernel
from distilcli.model.precision import REDUCED, dtype_of, require_precision, shortest_seconds
from distilcli.model.precision_name import Precision
from distilcli.model.threads import single_threaded

_LENGTH = 128  # tokens of a row
_ROWS = {"cpu": 4}
_ACCELERATOR_ROWS = 128


def reduced_precisions(device: torch.device) -> list[Precision]:
    """Return what `auto` may take on a device instead of fp32, without emulation."""
    return [each for each in REDUCED if _runs_well(each, device)]


def layer_seconds(model: TaskModel, device: torch.device) -> dict[Precision, float]:
    """Time the first layer of `model`, which is on `device` in fp32, in each precision.

    One layer stands for all, over a batch as large as those of a run. A core of a CPU is timed,
    since a run uses each by itself. Precisions that the device lacks, or emulates, are left out.
    """
    block = model.distilbert.transformer.blocks[0]
    precisions: list[Precision] = ["fp32", *reduced_precisions(device)]
    rows = _ROWS.get(device.type, _ACCELERATOR_ROWS)
    generator = torch.Generator().manual_seed(0)
    length = min(_LENGTH, model.config.max_position_embeddings)
    states = torch.randn(rows, length, model.config.dim, generator=generator).to(device)
    with single_threaded(), torch.inference_mode():
        blocks = {each: block_for(block, each, device) for each in precisions}
        inputs = {each: states.to(dtype_of(each)) for each in precisions}
        return shortest_seconds(
            {each: partial(_run, blocks[each], inputs[each]) for each in precisions}
        )


def _runs_well(precision: Precision, device: torch.device) -> bool:
    try:
        require_precision(precision, device)
    except ResourceError:
        return False
    return precision != "int8" or has_kernel()


def _run(block: nn.Module, states: Tensor) -> None:
    block(states)[0, 0, 0].item()  # which waits for the device
