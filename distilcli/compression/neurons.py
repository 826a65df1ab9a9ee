"""Whole feed-forward neurons removed, the same number in every layer.

A configuration has one `hidden_dim` for all layers, here and in `transformers`, so layers cannot
have different widths.
"""

import torch
from torch import Tensor

from distilcli.compression.importance import Importance, absorb
from distilcli.errors import UsageError
from distilcli.model.heads import TaskModel
from distilcli.model.surgery import prune_neurons


def remove_neurons(model: TaskModel, share: float, importance: Importance | None) -> None:
    """Remove a share of the neurons of each layer, those of least importance.

    Without rows the importance is the norm of a neuron's weights going in times that of its
    weights going out. With rows, what the removed ones contribute on average goes into the bias.
    Raises `UsageError` if none would stay or go.
    """
    width = model.config.hidden_dim
    n_kept = round(width * (1 - share))
    if n_kept in {0, width}:
        kept = "none" if n_kept == 0 else "all"
        raise UsageError(f"`prune_ffn` {share:g} keeps {kept} of {width} neurons; use 0.5 instead")
    everything = []
    for layer, block in enumerate(model.distilbert.transformer.blocks):
        scores = importance.neurons[layer] if importance is not None else weight_norms(block.ffn)
        kept_here = sorted(scores.argsort(descending=True, stable=True)[:n_kept].tolist())
        if importance is not None:
            gone = sorted(set(range(width)) - set(kept_here))
            absorb(block.ffn.lin2, gone, importance.activations[layer])
        everything.append(kept_here)
    prune_neurons(model, everything)


@torch.no_grad()
def weight_norms(ffn: torch.nn.Module) -> Tensor:
    """Return the norm of each neuron's weights going in times that of those going out (F,)."""
    first, second = ffn.get_parameter("lin1.weight"), ffn.get_parameter("lin2.weight")
    return first.norm(dim=1) * second.norm(dim=0)
