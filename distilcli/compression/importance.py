"""How important attention heads and feed-forward neurons are, from gradients on rows.

A gate of 1 multiplies the output of each head and neuron. The importance of one is the mean over
rows of how strongly the model's output depends on its gate: |d(r · output) / d(gate)|, where r is a
random direction for each row. That is the measure of Michel et al. 2019 with the output in place of
the loss, so that rows need no labels and every task is measured alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from distilcli.engine.batching import Batch, Piece, cut_batches, pad
from distilcli.model.heads import HEADS, MaskedLanguageModel, TaskModel

_MAX_TOKENS = 4_096
_SEED = 0


@dataclass(slots=True)
class _Gated:
    """A linear map whose inputs, in groups of equal `size`, have a gate each."""

    linear: nn.Linear
    size: int
    gates: Tensor = field(init=False)
    importance: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.importance = torch.zeros(self.linear.in_features // self.size)

    def open(self, rows: int) -> None:
        """Make a gate for each row of the next batch."""
        shape = (rows, 1, len(self.importance))
        self.gates = torch.ones(shape, device=self.linear.weight.device, requires_grad=True)

    def pass_through(self, _: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        """Multiply the inputs (B, T, groups x size) by the gates."""
        return (inputs[0] * self.gates.repeat_interleave(self.size, dim=2),)


@dataclass(frozen=True, slots=True)
class Importance:
    """The importance of the heads (H,) and the neurons (F,) of each layer."""

    heads: Sequence[Tensor]
    neurons: Sequence[Tensor]


def measure_importance(
    model: TaskModel, pieces: Sequence[Piece], device: torch.device
) -> Importance:
    """Run the pieces through `model`, which is on `device` in evaluation mode, and back."""
    blocks = model.distilbert.transformer.blocks
    heads = [_Gated(block.attention.out_lin, block.attention.head_dim) for block in blocks]
    neurons = [_Gated(block.ffn.lin2, 1) for block in blocks]
    draw = torch.Generator().manual_seed(_SEED)
    lengths = [len(piece) for piece in pieces]
    for indices in cut_batches(lengths, max_tokens=_MAX_TOKENS, max_rows=None):
        rows = [pieces[index] for index in indices]
        batch = pad(rows, pad_token_id=model.config.pad_token_id, device=device)
        _add_gradients(model, batch, [*heads, *neurons], draw)
    return Importance(
        [each.importance / len(pieces) for each in heads],
        [each.importance / len(pieces) for each in neurons],
    )


def _add_gradients(
    model: TaskModel, batch: Batch, gated: Sequence[_Gated], draw: torch.Generator
) -> None:
    hooks = []
    for each in gated:
        each.open(len(batch.pieces))
        hooks.append(each.linear.register_forward_pre_hook(each.pass_through))
    try:
        with torch.enable_grad():
            outputs = _outputs(model, batch)
            direction = torch.randn(outputs.shape, generator=draw).to(outputs)
            gradients = torch.autograd.grad(
                (direction * outputs).sum(), [each.gates for each in gated]
            )
    finally:
        for hook in hooks:
            hook.remove()
    for each, gradient in zip(gated, gradients, strict=True):
        each.importance += gradient.abs().sum(dim=(0, 1)).cpu()


def _outputs(model: TaskModel, batch: Batch) -> Tensor:
    """Return what the model says of the batch, without what changes no decision.

    Instead of the scores of a whole vocabulary it is the hidden states that they come from.
    """
    is_mlm = isinstance(model, MaskedLanguageModel)
    outputs: Tensor = (model.distilbert if is_mlm else model)(*batch.inputs)
    config = model.config
    is_exclusive = config.problem_type != "multi_label_classification"
    if HEADS[type(model)].labelled and len(config.labels) > 1 and is_exclusive:
        # Only the differences between the scores of labels decide.
        outputs = outputs - outputs.mean(dim=-1, keepdim=True)
    mask = batch.attention_mask
    if mask is None or outputs.dim() == 2:  # noqa: PLR2004 - one output for a whole row
        return outputs
    return outputs * mask[:, :, None]
