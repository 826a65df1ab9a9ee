"""How far probabilities can be believed, and the temperature that makes them believable."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from distilcli.scores.precision_recall import Array

N_BINS = 15
"""As many bins as Guo et al. 2017 used."""

_HALVINGS = 60
_COLDEST, _HOTTEST = 0.01, 100.0
_LEAST = 1e-12  # as near to 0 or 1 as a probability is taken to be


@dataclass(frozen=True, slots=True)
class Bin:
    """The `count` rows whose probability is above `low` and at most `high`.

    `confidence` is the mean of their probabilities, `accuracy` the share that was right; both
    are 0 where there is no row.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def reliability(confidences: Array, right: Array, *, n_bins: int = N_BINS) -> tuple[Bin, ...]:
    """Sort rows into bins of equal width by their probability (N,), `right` or not (N,)."""
    numbers = np.clip(np.ceil(confidences * n_bins).astype(int) - 1, 0, n_bins - 1)
    counts = np.bincount(numbers, minlength=n_bins)
    divisors = np.maximum(counts, 1)
    means = np.bincount(numbers, weights=confidences, minlength=n_bins) / divisors
    shares = np.bincount(numbers, weights=right.astype(float), minlength=n_bins) / divisors
    edges = np.arange(n_bins + 1) / n_bins
    columns = (column.tolist() for column in (edges[:-1], edges[1:], counts, means, shares))
    return tuple(Bin(*cells) for cells in zip(*columns, strict=True))


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """Return the mean distance of probability and accuracy over rows, 0 at best and at most 1.

    ECE as in Guo et al. 2017, "On Calibration of Modern Neural Networks".
    """
    total = sum(one.count for one in bins) or 1
    return sum(one.count * abs(one.confidence - one.accuracy) for one in bins) / total


def fit_temperature(probabilities: Array, expected: Array) -> float:
    """Return the T at which softmax(logits / T) makes the expected labels likeliest.

    `probabilities` (N, labels) are softmax(logits), `expected` (N,) the labels by number. T
    minimises the negative log-likelihood (Guo et al. 2017), which is convex in 1/T, so that
    halving finds it; it is kept between 0.01 and 100.
    """
    logits = np.log(np.maximum(probabilities, _LEAST))
    wanted = np.take_along_axis(logits, expected[:, None], axis=1)[:, 0]

    def slope(beta: float) -> float:
        weights = np.exp(beta * (logits - logits.max(axis=1, keepdims=True)))
        means = (weights * logits).sum(axis=1) / weights.sum(axis=1)
        return float((means - wanted).sum())

    return _root(slope)


def fit_sigmoid_temperature(probabilities: Array, expected: Array) -> float:
    """Return the T at which sigmoid(logits / T) makes the expected decisions likeliest.

    `probabilities` are sigmoid(logits), `expected` booleans, both (N, labels); see
    `fit_temperature`.
    """
    shares = np.clip(probabilities, _LEAST, 1 - _LEAST)
    logits = np.log(shares) - np.log1p(-shares)

    def slope(beta: float) -> float:
        return float(((_sigmoid(beta * logits) - expected) * logits).sum())

    return _root(slope)


def _sigmoid(values: Array) -> Array:
    halves: Array = 0.5 * (1 + np.tanh(values / 2))
    return halves


def _root(slope: Callable[[float], float]) -> float:
    """Return 1 / beta for the beta at which the rising `slope` crosses 0."""
    low, high = 1 / _HOTTEST, 1 / _COLDEST
    for _ in range(_HALVINGS):
        middle = (low * high) ** 0.5
        if slope(middle) < 0:
            low = middle
        else:
            high = middle
    return float((low * high) ** -0.5)
