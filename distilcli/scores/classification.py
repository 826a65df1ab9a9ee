"""Classification metrics: accuracy, precision, recall, F1, Matthews correlation, ROC AUC."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distilcli.scores.precision_recall import (
    Array,
    PrecisionRecall,
    macro,
    of_each,
    precision_recall,
)


@dataclass(frozen=True, slots=True)
class ClassificationScores:
    """Metrics of rows with one label each, between 0 and 1; `matthews` is between -1 and 1.

    Precision and recall are means over the labels, as macro-F1 is. `labels` are the metrics of
    each label; `confusion` counts rows by gold label (outer) and predicted label (inner).
    """

    accuracy: float
    precision: float
    recall: float
    macro_f1: float
    micro_f1: float
    matthews: float
    labels: tuple[PrecisionRecall, ...]
    confusion: tuple[tuple[int, ...], ...]


def classification_scores(
    expected: Sequence[int] | Array, predicted: Sequence[int] | Array, *, n_labels: int
) -> ClassificationScores:
    """Score predicted label indices against gold ones, row by row.

    Macro metrics are means over the labels that occur, as gold or predicted. Micro-F1 counts all
    labels together; with one label per row, it is the accuracy.
    """
    cells = np.asarray(expected, int) * n_labels + np.asarray(predicted, int)
    counts = np.bincount(cells, minlength=n_labels**2)
    confusion = counts.reshape(n_labels, n_labels)  # gold, predicted
    hits, found, support = confusion.diagonal(), confusion.sum(axis=0), confusion.sum(axis=1)
    labels = of_each(hits, found, support)
    means = macro(labels, found + support > 0)
    total = int(confusion.sum())
    accuracy = int(hits.sum()) / total if total else 0.0
    return ClassificationScores(
        accuracy=accuracy,
        precision=means.precision,
        recall=means.recall,
        macro_f1=means.f1,
        micro_f1=accuracy,
        matthews=matthews(confusion),
        labels=labels,
        confusion=tuple(map(tuple, confusion.tolist())),
    )


def matthews(confusion: Array) -> float:
    """Return the Matthews correlation of a confusion matrix (gold, predicted) of any size.

    That is the correlation of gold and predicted labels as indicators (Gorodkin 2004, "Comparing
    two K-category assignments by a K-category correlation coefficient"); 0 if either side has a
    single label.
    """
    found, support = confusion.sum(axis=0).astype(float), confusion.sum(axis=1).astype(float)
    total = support.sum()
    covariance = confusion.trace() * total - found @ support
    spreads = (total**2 - found @ found) * (total**2 - support @ support)
    return float(covariance / math.sqrt(spreads)) if spreads > 0 else 0.0


@dataclass(frozen=True, slots=True)
class MultiLabelScores:
    """Metrics of rows with any number of labels, between 0 and 1.

    `accuracy` is the share of rows with exactly the gold labels (subset accuracy). `micro` counts
    all decisions together, `macro` is the mean over the labels that occur, and `labels` are the
    metrics of each.
    """

    accuracy: float
    micro: PrecisionRecall
    macro: PrecisionRecall
    labels: tuple[PrecisionRecall, ...]


def multi_label_scores(expected: Array, predicted: Array) -> MultiLabelScores:
    """Score predicted against gold labels, both booleans (rows, labels)."""
    hits = (expected & predicted).sum(axis=0)
    found, support = predicted.sum(axis=0), expected.sum(axis=0)
    labels = of_each(hits, found, support)
    right = (expected == predicted).all(axis=1)
    return MultiLabelScores(
        accuracy=float(right.mean()) if len(right) else 0.0,
        micro=precision_recall(int(hits.sum()), int(found.sum()), int(support.sum())),
        macro=macro(labels, found + support > 0),
        labels=labels,
    )


def levels(scores: Array) -> Array:
    """Return the rank of each score from 0, ties equal, which is all that ROC AUC needs."""
    return np.unique(scores, return_inverse=True)[1].reshape(np.shape(scores))


def roc_auc(positive: Array, scores: Array) -> float:
    """Return the area under the ROC curve of scores (N,), with `positive` (N,) rows or not.

    That is the probability that a positive row scores higher than a negative one, ties counting
    half (Hanley and McNeil 1982). NaN if either kind is missing.
    """
    return auc_of_levels(positive, levels(scores))


def auc_of_levels(positive: Array, ranks: Array) -> float:
    """Return `roc_auc` given the `levels` of the scores, or those of some rows."""
    size = int(ranks.max()) + 1 if len(ranks) else 0
    ups = np.bincount(ranks[positive], minlength=size)
    downs = np.bincount(ranks[~positive], minlength=size)
    pairs = int(ups.sum()) * int(downs.sum())
    if not pairs:
        return math.nan
    below = downs.cumsum() - downs
    return float(ups @ (below + downs / 2) / pairs)


def macro_roc_auc(expected: Array, ranks: Array) -> float:
    """Return the mean of `auc_of_levels` over labels, each against the rest; (N, labels) both.

    Labels that all rows have, or none, are skipped; NaN if that leaves no label.
    """
    found = [auc_of_levels(*label) for label in zip(expected.T, ranks.T, strict=True)]
    known = [area for area in found if not math.isnan(area)]
    return sum(known) / len(known) if known else math.nan
