"""Confidence intervals of metrics, from resampling the rows with replacement.

The percentile method of Efron and Tibshirani 1993, "An Introduction to the Bootstrap".
"""

from collections.abc import Callable, Mapping

import numpy as np

from distilcli.scores.precision_recall import Array

RESAMPLES = 1_000

Interval = tuple[float, float]


def intervals(
    metrics: Callable[[Array], Mapping[str, float]],
    n_rows: int,
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return the interval of every metric that `metrics` computes from an array of row indices.

    Resamples in which a metric is undefined (NaN) are ignored.
    """
    random = np.random.default_rng(seed)
    drawn = [metrics(random.integers(n_rows, size=n_rows)) for _ in range(resamples)]
    return {
        name: _percentiles(np.array([values[name] for values in drawn], dtype=float), confidence)
        for name in drawn[0]
    }


def _percentiles(values: Array, confidence: float) -> Interval:
    known = values[~np.isnan(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
    return low, high
