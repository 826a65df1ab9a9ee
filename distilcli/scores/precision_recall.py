"""Precision, recall and F1 from three counts: what was right, what was found, what was there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """Shares between 0 and 1, of `support` things that there are to find.

    Precision is hits / found, recall hits / support, and F1 2·hits / (found + support), which is
    their harmonic mean. What would divide by nothing is 0.
    """

    precision: float
    recall: float
    f1: float
    support: int


def precision_recall(hits: int, found: int, support: int) -> PrecisionRecall:
    """Return the shares of one kind of thing."""
    return PrecisionRecall(
        precision=hits / found if found else 0.0,
        recall=hits / support if support else 0.0,
        f1=2 * hits / (found + support) if found + support else 0.0,
        support=support,
    )


def of_each(hits: Array, found: Array, support: Array) -> tuple[PrecisionRecall, ...]:
    """Return the shares of several kinds, given their counts, each (kinds,)."""
    counts = zip(hits.tolist(), found.tolist(), support.tolist(), strict=True)
    return tuple(precision_recall(*of_kind) for of_kind in counts)


def macro(kinds: Sequence[PrecisionRecall], seen: Array) -> PrecisionRecall:
    """Return the means over the kinds that are `seen` (kinds,), each counting the same."""
    chosen = [kind for kind, is_seen in zip(kinds, seen.tolist(), strict=True) if is_seen]
    count = len(chosen) or 1
    return PrecisionRecall(
        precision=sum(kind.precision for kind in chosen) / count,
        recall=sum(kind.recall for kind in chosen) / count,
        f1=sum(kind.f1 for kind in chosen) / count,
        support=sum(kind.support for kind in chosen),
    )
