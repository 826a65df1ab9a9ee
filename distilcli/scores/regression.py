"""Regression metrics: correlation with the gold numbers, and errors."""

import math
from dataclasses import dataclass

import numpy as np

from distilcli.scores.precision_recall import Array


@dataclass(frozen=True, slots=True)
class RegressionScores:
    """Correlations between -1 and 1, and errors in the unit of the numbers.

    `mae` is the mean absolute error, `rmse` the root mean squared error.
    """

    pearson: float
    spearman: float
    mae: float
    rmse: float


def regression_scores(expected: Array, predicted: Array) -> RegressionScores:
    """Score predicted numbers against gold ones, both (N,), N at least 1."""
    errors = predicted - expected
    return RegressionScores(
        pearson=pearson(expected, predicted),
        spearman=spearman(expected, predicted),
        mae=float(np.abs(errors).mean()),
        rmse=math.sqrt(float((errors**2).mean())),
    )


def pearson(one: Array, other: Array) -> float:
    """Return the linear correlation; NaN for fewer than two rows or constant numbers."""
    if len(one) < 2 or _is_constant(one) or _is_constant(other):  # noqa: PLR2004
        return math.nan
    # Scaled first, so that squares stay in the range of floats.
    one, other = _centred(one), _centred(other)
    return float(np.clip(one @ other / math.sqrt(float((one @ one) * (other @ other))), -1, 1))


def spearman(one: Array, other: Array) -> float:
    """Return the correlation of ranks, averaged over ties; NaN as for `pearson`."""
    return pearson(ranks(one), ranks(other))


def ranks(values: Array) -> Array:
    """Return the rank of each value, from 1; ties share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    middles = counts.cumsum() - (counts - 1) / 2
    found: Array = middles[inverse]
    return found


def _is_constant(values: Array) -> bool:
    return bool((values == values[0]).all())


def _centred(values: Array) -> Array:
    centred: Array = values - values.mean()
    scaled: Array = centred / np.abs(centred).max()
    return scaled
