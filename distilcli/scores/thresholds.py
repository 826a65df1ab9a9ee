"""The threshold from which on a score best says yes."""

import numpy as np

from distilcli.scores.precision_recall import Array


def best_f1_threshold(positive: Array, scores: Array) -> tuple[float, float]:
    """Return the threshold at or above which rows are best taken for positive, and their F1.

    `positive` and `scores` (N,); of equally good thresholds the highest. Without rows, or
    positive ones among them, F1 is 0 and the threshold 1.
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    hits = positive[order].cumsum()
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + positive.sum())
    # Rows of one score are taken together: only the last of them ends a choice.
    ends = np.append(ordered[1:] != ordered[:-1], True) if len(order) else np.zeros(0, bool)
    if not positive.any():
        return 1.0, 0.0
    best = int(np.where(ends, f1, -1.0).argmax())
    return float(ordered[best]), float(f1[best])
