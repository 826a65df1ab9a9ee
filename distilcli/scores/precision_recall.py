"""Precision, recall and F1 from three counts: correct, predicted and gold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """Precision hits / found, recall hits / support and F1 2·hits / (found + support).

    F1 is their harmonic mean. A division by zero gives 0. `support` is the number of gold items.
    """

    precision: float
    recall: float
    f1: float
    support: int


def precision_recall(hits: int, found: int, support: int) -> PrecisionRecall:
    """Return the metrics of one class."""
    return PrecisionRecall(
        precision=hits / found if found else 0.0,
        recall=hits / support if support else 0.0,
        f1=2 * hits / (found + support) if found + support else 0.0,
        support=support,
    )


def of_each(hits: Array, found: Array, support: Array) -> tuple[PrecisionRecall, ...]:
    """Return the metrics of several classes, given their counts, each (classes,)."""
    counts = zip(hits.tolist(), found.tolist(), support.tolist(), strict=True)
    return tuple(precision_recall(*of_class) for of_class in counts)


def macro(classes: Sequence[PrecisionRecall], seen: Array) -> PrecisionRecall:
    """Return the unweighted means over the classes that are `seen` (classes,)."""
    chosen = [one for one, is_seen in zip(classes, seen.tolist(), strict=True) if is_seen]
    count = len(chosen) or 1
    return PrecisionRecall(
        precision=sum(one.precision for one in chosen) / count,
        recall=sum(one.recall for one in chosen) / count,
        f1=sum(one.f1 for one in chosen) / count,
        support=sum(one.support for one in chosen),
    )
