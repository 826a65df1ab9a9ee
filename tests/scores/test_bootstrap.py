import math
from typing import Any

import numpy as np
import pytest

from distilcli.scores.bootstrap import Interval, intervals

VALUES = (np.arange(400) % 4 == 0).astype(float)


def mean_interval(values: np.ndarray, **options: Any) -> Interval:
    return intervals(lambda rows: {"mean": values[rows].mean()}, len(values), **options)["mean"]


def test_the_interval_of_a_mean_is_the_binomials() -> None:
    low, high = mean_interval(VALUES, confidence=0.95)
    half = 1.96 * math.sqrt(0.25 * 0.75 / 400)
    assert low == pytest.approx(0.25 - half, abs=0.006)
    assert high == pytest.approx(0.25 + half, abs=0.006)


def test_drawn_again_the_same() -> None:
    assert mean_interval(VALUES, seed=3) == mean_interval(VALUES, seed=3)
    assert mean_interval(VALUES, seed=3) != mean_interval(VALUES, seed=4)


def test_less_confidence_less_room() -> None:
    wide, narrow = mean_interval(VALUES, confidence=0.99), mean_interval(VALUES, confidence=0.5)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_undefined_draws_do_not_count() -> None:
    def figures(rows: np.ndarray) -> dict[str, float]:
        share = VALUES[rows].mean()
        return {"some": share if share > 0.25 else math.nan, "none": math.nan}

    found = intervals(figures, 400, resamples=200)
    assert found["some"][0] > 0.25
    assert all(map(math.isnan, found["none"]))


def test_many_rows() -> None:
    many = np.tile([0.0, 1.0], 100_000)
    assert mean_interval(many, resamples=50) == pytest.approx((0.498, 0.502), abs=0.001)
