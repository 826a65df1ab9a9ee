import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.scores.thresholds import best_f1_threshold


def f1(positive: np.ndarray, chosen: np.ndarray) -> float:
    return float(2 * (positive & chosen).sum() / max(1, positive.sum() + chosen.sum()))


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0])),
        min_size=1,
        max_size=15,
    )
)
def test_no_other_threshold_is_better(rows: list[tuple[bool, float]]) -> None:
    positive, scores = (np.array(column) for column in zip(*rows, strict=True))
    threshold, best = best_f1_threshold(positive, scores)
    assert best == pytest.approx(f1(positive, scores >= threshold))
    assert best == pytest.approx(max(f1(positive, scores >= other) for other in (*scores, 1.1)))


def test_without_rows() -> None:
    assert best_f1_threshold(np.zeros(0, bool), np.zeros(0)) == (1.0, 0.0)
