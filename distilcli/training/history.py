"""The evaluations of a run, as metrics.jsonl has them: where it stood, and its scores."""

from collections.abc import Mapping
from typing import Any

_NO_SCORES = {"step", "epoch", "train_loss", "best"}


def scores_of(entry: Mapping[str, Any]) -> dict[str, float]:
    """Return the scores of an evaluation, that by which the best is known first."""
    return {name: value for name, value in entry.items() if name not in _NO_SCORES}
