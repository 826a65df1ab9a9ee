"""Positions removed from the end: the model then reads shorter texts."""

from distilcli.errors import UsageError
from distilcli.model.heads import TaskModel
from distilcli.model.surgery import resize_positions

_MIN_POSITIONS = 8


def remove_positions(model: TaskModel, n_positions: int) -> None:
    """Keep the first positions; raise `UsageError` if there are not fewer, or too few for a text.

    A forward pass takes as long as before: only the table gets smaller.
    """
    before = model.config.max_position_embeddings
    if not _MIN_POSITIONS <= n_positions < before:
        raise UsageError(
            f"`positions` {n_positions}: the model has {before}; give a number from "
            f"{_MIN_POSITIONS} to {before - 1}"
        )
    resize_positions(model, n_positions)
