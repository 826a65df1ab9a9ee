import numpy as np
import pytest

from distilcli.errors import UsageError
from distilcli.tasks.classify import Classification
from distilcli.tasks.label_sets import label_sets
from distilcli.tasks.match import LabelHead, Match, MatchColumns


def head() -> LabelHead:
    return LabelHead(("a", "b"), np.array([[2.0, 0], [0, 2]]), np.array([0.0, 1]))


def test_the_probabilities_are_a_softmax_of_the_map() -> None:
    found = head()(np.array([1.0, 0]), truncated=True)
    assert found.scores == pytest.approx((1 / (1 + np.exp(-1)), 1 / (1 + np.e)))
    assert (found.label, found.truncated) == ("a", True)
    assert head()(np.array([0.0, 0]), truncated=False).label == "b"


def test_columns_of_one_set_and_of_several() -> None:
    one = MatchColumns(label_sets(["a,b"]), top_k=2, all_scores=True)
    assert one.names == ["label", "score", "label_2", "score_2", "score_a", "score_b"]
    two = MatchColumns(label_sets(["x=a,b", "y=c,d"]), top_k=1, all_scores=False)
    assert two.names == ["x_label", "x_score", "y_label", "y_score"]
    match = Match((Classification((0.8, 0.2), ("a", "b")), Classification((0.3, 0.7), ("c", "d"))))
    assert two.values(match) == ["a", 0.8, "d", 0.7]
    assert two.counted(match) == ["a", "d"]
    assert (match.label, match.score) == ("a", 0.8)


def test_columns_of_the_same_name_are_refused() -> None:
    with pytest.raises(UsageError, match="two columns"):
        MatchColumns(label_sets(["a,2"]), top_k=2, all_scores=True)
