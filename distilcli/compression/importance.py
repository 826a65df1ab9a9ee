"""How important attention heads and feed-forward neurons are, from gradients on rows.

A gate of 1 multiplies the output of each head and neuron. The importance of one is the mean over
rows of how strongly the model's output depends on its gate: |d(r · output) / d(gate)|, where r is a
random direction for each row. That is the measure of Michel et al. 2019 with the output in place of
the loss, so that rows need no labels and every task is measured alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from distilcli.engine.batching import Batch, Piece, cut_batches, pad
from distilcli.model.heads import MaskedLanguageModel, TaskModel

_MAX_TOKENS = 4_096
_SEED = 0


@dataclass(slots=True)
class _Gated:
    """A linear map whose inputs, in groups of equal `size`, have a gate each."""

    linear: nn.Linear
    size: int
    gates: Tensor = field(init=False)
    importance: Tensor = field(init=False)
    total: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.importance = torch.zeros(self.linear.in_features // self.size)
        self.total = torch.zeros(self.linear.in_features)

    def open(self, rows: int) -> None:
        """Make a gate for each row of the next batch."""
        shape = (rows, 1, len(self.importance))
        self.gates = torch.ones(shape, device=self.linear.weight.device, requires_grad=True)

    def pass_through(self, mask: Tensor, _: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        """Multiply the inputs (B, T, groups x size) by the gates, and add up real tokens."""
        (x,) = inputs
        self.total += (x.detach() * mask[:, : x.shape[1], None]).sum(dim=(0, 1)).cpu()
        return (x * self.gates.repeat_interleave(self.size, dim=2),)


@dataclass(frozen=True, slots=True)
class Importance:
    """For each layer: the importance of its heads (H,) and neurons (F,), and their mean outputs.

    `contexts` (H*S,) and `activations` (F,) are what the heads and the neurons give on average.
    """

    heads: Sequence[Tensor]
    neurons: Sequence[Tensor]
    contexts: Sequence[Tensor]
    activations: Sequence[Tensor]


def measure_importance(
    model: TaskModel, pieces: Sequence[Piece], device: torch.device
) -> Importance:
    """Run the pieces through `model`, which is on `device` in evaluation mode, and back."""
    blocks = model.distilbert.transformer.blocks
    heads = [_Gated(block.attention.out_lin, block.attention.head_dim) for block in blocks]
    neurons = [_Gated(block.ffn.lin2, 1) for block in blocks]
    draw = torch.Generator().manual_seed(_SEED)
    tokens = [0, 0]
    for indices in cut_batches([len(piece) for piece in pieces], max_tokens=_MAX_TOKENS,
                               max_rows=None):  # fmt: skip
        batch = pad(
            [pieces[index] for index in indices],
            pad_token_id=model.config.pad_token_id,
            device=device,
        )
        mask = _mask(batch)
        _add_gradients(model, batch, [*heads, *neurons], mask, draw)
        tokens[0] += int(mask.sum())
        tokens[1] += len(indices)
    # The last block may compute its first token only.
    seen = [tokens[1] if _is_short(model, block) else tokens[0] for block in range(len(blocks))]
    return Importance(
        heads=[each.importance / len(pieces) for each in heads],
        neurons=[each.importance / len(pieces) for each in neurons],
        contexts=[each.total / count for each, count in zip(heads, seen, strict=True)],
        activations=[each.total / count for each, count in zip(neurons, seen, strict=True)],
    )


@torch.no_grad()
def absorb(linear: nn.Linear, gone: Sequence[int], means: Tensor) -> None:
    """Add to the bias what the inputs `gone` contribute on average, because they are removed."""
    columns = list(gone)
    linear.bias += linear.weight[:, columns] @ means[columns].to(linear.weight)


def _add_gradients(
    model: TaskModel, batch: Batch, gated: Sequence[_Gated], mask: Tensor, draw: torch.Generator
) -> None:
    hooks = []
    for each in gated:
        each.open(len(batch.pieces))
        hook = partial(each.pass_through, mask)
        hooks.append(each.linear.register_forward_pre_hook(hook))
    try:
        with torch.enable_grad():
            outputs = _outputs(model, batch, mask)
            direction = torch.randn(outputs.shape, generator=draw).to(outputs)
            gradients = torch.autograd.grad(
                (direction * outputs).sum(), [each.gates for each in gated]
            )
    finally:
        for hook_handle in hooks:
            hook_handle.remove()
    for each, gradient in zip(gated, gradients, strict=True):
        each.importance += gradient.abs().sum(dim=(0, 1)).cpu()


def _outputs(model: TaskModel, batch: Batch, mask: Tensor) -> Tensor:
    """Return what the model says of the batch, without what changes no decision.

    Instead of the scores of a whole vocabulary it is the hidden states that they come from.
    """
    if isinstance(model, MaskedLanguageModel):
        outputs: Tensor = model.distilbert(*batch.inputs)
    else:
        outputs = model(*batch.inputs)
    config = model.config
    if len(config.labels) > 1 and config.problem_type != "multi_label_classification":
        # Only the differences between the scores of labels decide.
        outputs = outputs - outputs.mean(dim=-1, keepdim=True)
    has_tokens = outputs.dim() > 2  # noqa: PLR2004
    return outputs * mask[:, :, None] if has_tokens else outputs


def _mask(batch: Batch) -> Tensor:
    if batch.attention_mask is None:
        return torch.ones(batch.input_ids.shape, device=batch.device)
    return batch.attention_mask.float()


def _is_short(model: TaskModel, block: int) -> bool:
    return model.first_token_only and block == model.config.n_layers - 1
