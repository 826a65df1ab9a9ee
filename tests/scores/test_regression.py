import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.scores.regression import pearson, ranks, regression_scores, spearman


def test_figures_by_hand() -> None:
    found = regression_scores(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 5.0]))
    # With their means taken off they are -1, 0, 1 and -5/3, -2/3, 7/3.
    assert found.pearson == pytest.approx(4 / math.sqrt(2 * (25 + 4 + 49) / 9))
    assert found.spearman == pytest.approx(1.0)
    assert found.mae == pytest.approx(2 / 3)
    assert found.rmse == pytest.approx(math.sqrt(4 / 3))


def test_equal_numbers_share_their_ranks() -> None:
    assert ranks(np.array([5.0, 1.0, 5.0, 2.0])).tolist() == [3.5, 1.0, 3.5, 2.0]


@pytest.mark.parametrize("numbers", [[1.0], [2.0, 2.0]])
def test_without_spread_there_is_no_correlation(numbers: list[float]) -> None:
    values = np.array(numbers)
    assert math.isnan(pearson(values, np.arange(len(values), dtype=float)))
    assert math.isnan(spearman(values, np.arange(len(values), dtype=float)))


def test_huge_numbers() -> None:
    values = np.array([1e200, 2e200, 4e200])
    assert pearson(values, values / 1e300) == pytest.approx(1.0)


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=20, unique=True))
def test_spearman_sees_order_only(values: list[int]) -> None:
    numbers = np.array(values, dtype=float)
    assert spearman(numbers, numbers**3) == pytest.approx(1.0)
    assert spearman(numbers, -numbers) == pytest.approx(-1.0)
