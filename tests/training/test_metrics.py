import pytest

from distilcli.training.metrics import ClassificationScores, classification_scores


def test_figures_checked_by_hand() -> None:
    # label 0: 1 hit, 1 taken for 1; label 1: 2 hits, 1 wrong; label 2 does not occur
    found = classification_scores([0, 0, 1, 1], [0, 1, 1, 1], n_labels=3)
    assert found.accuracy == pytest.approx(3 / 4)
    assert found.macro_f1 == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_all_right_all_wrong_and_nothing() -> None:
    assert classification_scores([0, 1], [0, 1], n_labels=2) == ClassificationScores(1.0, 1.0)
    assert classification_scores([0, 1], [1, 0], n_labels=2) == ClassificationScores(0.0, 0.0)
    assert classification_scores([], [], n_labels=2) == ClassificationScores(0.0, 0.0)
