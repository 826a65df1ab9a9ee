"""The score threshold with the best F1."""

import numpy as np

from distilcli.scores.precision_recall import Array


def best_f1_threshold(positive: Array, scores: Array) -> tuple[float, float]:
    """Return the threshold with the best F1, at or above which rows are positive, and that F1.

    `positive` and `scores` are (N,). Of equally good thresholds, the highest. Without positive
    rows, the threshold is 1 and F1 is 0.
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    hits = positive[order].cumsum()
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + positive.sum())
    # Rows with equal scores are on one side of a threshold: cut only after the last.
    ends = np.append(ordered[1:] != ordered[:-1], True) if len(order) else np.zeros(0, bool)
    if not positive.any():
        return 1.0, 0.0
    best = int(np.where(ends, f1, -1.0).argmax())
    return float(ordered[best]), float(f1[best])
