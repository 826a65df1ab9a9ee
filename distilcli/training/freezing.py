"""Freezing parts of a model, and setting its dropout."""

from torch import nn

from distilcli.errors import UsageError
from distilcli.model.dropout import Dropout
from distilcli.model.heads import TaskModel


def freeze(model: TaskModel, what: str) -> None:
    """Stop a part of the model from learning.

    `what` is `nothing`; `embeddings`, the token table (most weights of a small model, but none of
    its compute); a number N, the lowest N layers and all embeddings; or `encoder`, all but the
    head. Raises `UsageError` for more layers than the model has, and if nothing is left.
    """
    embeddings, layers = model.distilbert.embeddings, model.distilbert.transformer.layer
    parts: list[nn.Module] = []
    if what == "embeddings":
        parts = [embeddings.word_embeddings]
    elif what == "encoder":
        parts = [embeddings, layers]
    elif what != "nothing":
        count = int(what)
        if count > len(layers):
            raise UsageError(f"`freeze` {count}: the model has {len(layers)} layers")
        parts = [embeddings, *layers[:count]]
    for part in parts:
        part.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise UsageError(f"`freeze` {what}: leaves nothing to train")


def set_dropout(model: nn.Module, rate: float) -> None:
    """Set the rate of every dropout layer."""
    for module in model.modules():
        if isinstance(module, Dropout):
            module.p = rate
