"""Whole layers removed from a model."""

import re

from distilcli.errors import UsageError
from distilcli.model.heads import TaskModel
from distilcli.model.loading import build_model, fill
from distilcli.model.surgery import take_layers


def parse_layers(text: str, n_layers: int) -> tuple[int, ...]:
    """Return the layers to remove, such as 1,3, counted from 0.

    Raises `UsageError` for another form, a layer that does not exist, or all layers.
    """
    if not re.fullmatch(r"\d{1,3}(,\d{1,3})*", text):
        raise UsageError(f"`prune_layers` {text!r}: give numbers separated by commas, as 1,3")
    gone = tuple(sorted({int(number) for number in text.split(",")}))
    if gone[-1] >= n_layers:
        raise UsageError(
            f"`prune_layers`: no layer {gone[-1]}; the model has layers 0 to {n_layers - 1}"
        )
    if len(gone) == n_layers:
        raise UsageError(f"`prune_layers` {text} leaves no layer; keep at least one")
    return gone


def without_layers(model: TaskModel, gone: tuple[int, ...]) -> TaskModel:
    """Return a model with the other layers and the same head."""
    kept = [layer for layer in range(model.config.n_layers) if layer not in gone]
    config, weights = take_layers(model.config, model.state_dict(), kept)
    smaller = build_model(type(model), config, source="the smaller model")
    fill(smaller, weights, source="the smaller model")
    return smaller.eval()
