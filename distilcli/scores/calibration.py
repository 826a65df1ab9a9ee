"""Calibration: how well probabilities match accuracy, and the temperature that mends them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from distilcli.scores.precision_recall import Array

N_BINS = 15
"""The number of bins in Guo et al. 2017."""

_HALVINGS = 60
_COLDEST, _HOTTEST = 0.01, 100.0
_MIN_PROBABILITY = 1e-12


@dataclass(frozen=True, slots=True)
class Bin:
    """The `count` rows whose probability is above `low` and at most `high`.

    `confidence` is their mean probability, `accuracy` the share of correct ones; both are 0 in an
    empty bin.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def reliability(confidences: Array, right: Array, *, n_bins: int = N_BINS) -> tuple[Bin, ...]:
    """Sort rows into bins of equal width by `confidences` (N,); `right` (N,) are the correct."""
    indices = np.clip(np.ceil(confidences * n_bins).astype(int) - 1, 0, n_bins - 1)
    counts = np.bincount(indices, minlength=n_bins)
    divisors = np.maximum(counts, 1)
    means = np.bincount(indices, weights=confidences, minlength=n_bins) / divisors
    shares = np.bincount(indices, weights=right.astype(float), minlength=n_bins) / divisors
    edges = np.arange(n_bins + 1) / n_bins
    columns = (column.tolist() for column in (edges[:-1], edges[1:], counts, means, shares))
    return tuple(Bin(*cells) for cells in zip(*columns, strict=True))


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """Return the mean difference of probability and accuracy over rows, from 0 (best) to 1.

    ECE as in Guo et al. 2017, "On Calibration of Modern Neural Networks".
    """
    total = sum(one.count for one in bins) or 1
    return sum(one.count * abs(one.confidence - one.accuracy) for one in bins) / total


def fit_temperature(probabilities: Array, expected: Array) -> float:
    """Return the T for which softmax(logits / T) gives the gold labels the highest likelihood.

    `probabilities` (N, labels) are softmax(logits), `expected` (N,) the indices of the gold labels.
    The negative log-likelihood (Guo et al. 2017) is convex in 1/T, so bisection finds T; it is
    limited to 0.01 to 100.
    """
    logits = np.log(np.maximum(probabilities, _MIN_PROBABILITY))
    gold = np.take_along_axis(logits, expected[:, None], axis=1)[:, 0]

    def slope(beta: float) -> float:
        weights = np.exp(beta * (logits - logits.max(axis=1, keepdims=True)))
        means = (weights * logits).sum(axis=1) / weights.sum(axis=1)
        return float((means - gold).sum())

    return _root(slope)


def fit_sigmoid_temperature(probabilities: Array, expected: Array) -> float:
    """Return the T for which sigmoid(logits / T) gives the gold labels the highest likelihood.

    `probabilities` are sigmoid(logits), `expected` booleans, both (N, labels); see
    `fit_temperature`.
    """
    shares = np.clip(probabilities, _MIN_PROBABILITY, 1 - _MIN_PROBABILITY)
    logits = np.log(shares) - np.log1p(-shares)

    def slope(beta: float) -> float:
        return float(((_sigmoid(beta * logits) - expected) * logits).sum())

    return _root(slope)


def _sigmoid(values: Array) -> Array:
    halves: Array = 0.5 * (1 + np.tanh(values / 2))
    return halves


def _root(slope: Callable[[float], float]) -> float:
    """Return 1 / beta for the beta at which the increasing `slope` crosses 0."""
    low, high = 1 / _HOTTEST, 1 / _COLDEST
    for _ in range(_HALVINGS):
        middle = (low * high) ** 0.5
        if slope(middle) < 0:
            low = middle
        else:
            high = middle
    return float((low * high) ** -0.5)
