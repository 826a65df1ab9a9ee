"""How good predictions are: accuracy and macro-F1."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class ClassificationScores:
    """Shares between 0 and 1."""

    accuracy: float
    macro_f1: float


def classification_scores(
    expected: Sequence[int], predicted: Sequence[int], *, n_labels: int
) -> ClassificationScores:
    """Score predicted label indices against the expected ones, row by row.

    F1 of a label is 2·TP / (2·TP + FP + FN); macro-F1 is its mean over the labels that occur
    among the expected or the predicted.
    """
    confusion = np.zeros((n_labels, n_labels), dtype=np.int64)  # expected, predicted
    np.add.at(confusion, (np.asarray(expected, int), np.asarray(predicted, int)), 1)
    hits = confusion.diagonal()
    occurrences = confusion.sum(axis=0) + confusion.sum(axis=1)  # 2·TP + FP + FN
    seen = occurrences > 0
    total = int(confusion.sum())
    return ClassificationScores(
        accuracy=float(hits.sum() / total) if total else 0.0,
        macro_f1=float((2 * hits[seen] / occurrences[seen]).mean()) if total else 0.0,
    )
