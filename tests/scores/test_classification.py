import math

import numpy as np
import pytest

from distilcli.scores.classification import (
    classification_scores,
    macro_roc_auc,
    matthews,
    multi_label_scores,
    roc_auc,
)
from distilcli.scores.precision_recall import PrecisionRecall


def test_figures_checked_by_hand() -> None:
    # label 0: 1 hit, 1 taken for 1; label 1: 2 hits, 1 wrong; label 2 does not occur
    found = classification_scores([0, 0, 1, 1], [0, 1, 1, 1], n_labels=3)
    assert found.accuracy == found.micro_f1 == pytest.approx(3 / 4)
    assert found.macro_f1 == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert found.precision == pytest.approx((1 + 2 / 3) / 2)
    assert found.recall == pytest.approx((1 / 2 + 1) / 2)
    assert found.labels[0] == PrecisionRecall(1.0, 0.5, pytest.approx(2 / 3), 2)
    assert found.labels[2] == PrecisionRecall(0.0, 0.0, 0.0, 0)
    assert found.confusion == ((1, 1, 0), (0, 2, 0), (0, 0, 0))
    # the determinant over the root of the product of the sums of rows and columns
    assert found.matthews == pytest.approx((2 * 1 - 1 * 0) / math.sqrt(3 * 2 * 2 * 1))


def test_all_right_all_wrong_and_nothing() -> None:
    right = classification_scores([0, 1], [0, 1], n_labels=2)
    assert (right.accuracy, right.macro_f1, right.matthews) == (1.0, 1.0, 1.0)
    wrong = classification_scores([0, 1], [1, 0], n_labels=2)
    assert (wrong.accuracy, wrong.macro_f1, wrong.matthews) == (0.0, 0.0, -1.0)
    nothing = classification_scores([], [], n_labels=2)
    assert (nothing.accuracy, nothing.macro_f1, nothing.matthews) == (0.0, 0.0, 0.0)


def test_matthews_of_one_label_is_none() -> None:
    assert matthews(np.array([[3, 2], [0, 0]])) == 0.0


def test_several_labels_by_hand() -> None:
    expected = np.array([[1, 0], [1, 1], [0, 0]], dtype=bool)
    predicted = np.array([[1, 1], [1, 0], [0, 0]], dtype=bool)
    found = multi_label_scores(expected, predicted)
    assert found.accuracy == pytest.approx(1 / 3)
    assert found.micro == PrecisionRecall(*[pytest.approx(2 / 3)] * 3, 3)
    assert found.macro.f1 == pytest.approx((1 + 0) / 2)


def test_roc_auc_is_the_share_of_pairs_in_order() -> None:
    positive = np.array([True, True, False, False])
    # of 4 pairs: 0.9 is above both; 0.4 ties with one and is above one
    assert roc_auc(positive, np.array([0.9, 0.4, 0.4, 0.1])) == pytest.approx((2 + 0.5 + 1) / 4)


def test_roc_auc_of_one_kind_is_no_number() -> None:
    assert math.isnan(roc_auc(np.array([True, True]), np.array([0.1, 0.2])))
    ones = np.ones((2, 1), dtype=bool)
    assert math.isnan(macro_roc_auc(ones, np.array([[0], [1]])))
