"""Whole feed-forward neurons removed, the same number in every layer.

A configuration has one `hidden_dim` for all layers, here and in `transformers`, so layers cannot
have different widths.
"""

import torch
from torch import Tensor

from distilcli.compression.importance import Importance
from distilcli.errors import UsageError
from distilcli.model.encoder import FeedForward
from distilcli.model.heads import TaskModel
from distilcli.model.surgery import prune_neurons


def remove_neurons(model: TaskModel, share: float, importance: Importance | None) -> None:
    """Remove a share of the neurons of each layer, those of least importance.

    Without rows the importance is the norm of a neuron's weights going in times that of its
    weights going out. Raises `UsageError` if none would stay or go.
    """
    width = model.config.hidden_dim
    n_kept = round(width * (1 - share))
    if n_kept in {0, width}:
        kept = "none" if n_kept == 0 else "all"
        raise UsageError(f"`prune_ffn` {share:g} keeps {kept} of {width} neurons; use 0.5 instead")
    blocks = model.distilbert.transformer.blocks
    scores = importance.neurons if importance else [weight_norms(block.ffn) for block in blocks]
    ranked = [each.argsort(descending=True, stable=True) for each in scores]
    prune_neurons(model, [sorted(each[:n_kept].tolist()) for each in ranked])


@torch.no_grad()
def weight_norms(ffn: FeedForward) -> Tensor:
    """Return the norm of each neuron's weights going in times that of those going out (F,)."""
    norms: Tensor = ffn.lin1.weight.norm(dim=1) * ffn.lin2.weight.norm(dim=0)
    return norms
