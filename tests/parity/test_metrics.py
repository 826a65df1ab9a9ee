"""The same figures as scikit-learn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.training.metrics import classification_scores

metrics = pytest.importorskip("sklearn.metrics")

pytestmark = pytest.mark.parity

LABEL = st.integers(0, 4)


@given(st.lists(st.tuples(LABEL, LABEL), min_size=1, max_size=40))
def test_accuracy_and_macro_f1_are_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    expected, predicted = zip(*pairs, strict=True)
    found = classification_scores(expected, predicted, n_labels=5)
    assert found.accuracy == pytest.approx(metrics.accuracy_score(expected, predicted))
    f1 = metrics.f1_score(expected, predicted, average="macro", zero_division=0)
    assert found.macro_f1 == pytest.approx(f1)
