"""Attention heads removed by their importance, a number of them or as many as agree."""

from collections.abc import Callable
from itertools import islice

import torch
from torch import Tensor

from distilcli.compression.importance import Importance
from distilcli.errors import UsageError
from distilcli.model.heads import TaskModel

Heads = dict[int, tuple[int, ...]]


def parse_count(text: str, model: TaskModel) -> int:
    """Return a number of heads to remove.

    Raises `UsageError` for another form, or if a layer would be left without heads.
    """
    if not text.isdecimal() or int(text) == 0:
        raise UsageError(f"`prune_heads` {text!r}: give a number, auto, or heads such as 0:1,3")
    most = most_heads(model)
    if int(text) > most:
        raise UsageError(
            f"`prune_heads` {text}: at most {most} can go, because every layer keeps one"
        )
    return int(text)


def most_heads(model: TaskModel) -> int:
    """Return how many heads can be removed with one left in every layer."""
    blocks = model.distilbert.transformer.blocks
    return sum(len(block.attention.heads) - 1 for block in blocks)


def least_important(model: TaskModel, importance: Importance, count: int) -> Heads:
    """Return the `count` heads of least importance by layer, as indices before any pruning.

    Importances are divided by the norm of their layer before layers are compared, as in Michel et
    al. 2019; the most important head of a layer stays.
    """
    blocks = model.distilbert.transformer.blocks
    ranked: list[tuple[float, int, int]] = []
    for layer, (block, scores) in enumerate(zip(blocks, importance.heads, strict=True)):
        relative = relative_importance(scores)
        order = relative.argsort(stable=True)[:-1].tolist()
        ranked += [(float(relative[at]), layer, block.attention.heads[at]) for at in order]
    found: Heads = {}
    for _, layer, head in islice(sorted(ranked), count):
        found[layer] = (*found.get(layer, ()), head)
    return found


def relative_importance(scores: Tensor) -> Tensor:
    """Divide the importances of a layer's heads (H,) by their norm."""
    relative: Tensor = scores / scores.norm().clamp(min=torch.finfo(scores.dtype).tiny)
    return relative


def largest_agreeing(most: int, agrees: Callable[[int], bool]) -> int:
    """Return the largest number up to `most` that agrees, found by halving; 0 if none does.

    Exact if a smaller number agrees wherever a larger one does.
    """
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if agrees(middle):
            low = middle
        else:
            high = middle - 1
    return low
