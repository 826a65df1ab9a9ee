"""The rules of the official SQuAD scripts, each with a value worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.scores.answers import answer_scores, best_no_answer_threshold, normalized


def one(golds: list[str], answer: str) -> tuple[float, float]:
    found = answer_scores([golds], [answer])
    return found.exact_match, found.f1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  Denver Broncos!", "denver broncos"),
        ("a.b.c.", "abc"),  # signs go without leaving a blank
        ("A-the-an", "athean"),  # so that articles joined by signs are none
        ("an apple, a day", "apple day"),
        ("théa the", "théa"),
        ("«no» ASCII", "«no» ascii"),  # only ASCII's punctuation goes
        ("\tthe\n", ""),
    ],
)
def test_normalized(text: str, expected: str) -> None:
    assert normalized(text) == expected


def test_exact_match_takes_any_gold() -> None:
    assert one(["Paris", "the city of Paris"], "The City of Paris.") == (1.0, 1.0)


def test_f1_counts_words_as_often_as_they_come() -> None:
    # common: "to" once, "be" once; 4 gold words, 2 given
    exact, f1 = one(["to be or be"], "to be")
    assert exact == 0
    assert f1 == pytest.approx(2 * (2 / 2) * (2 / 4) / (2 / 2 + 2 / 4))


def test_f1_is_that_of_the_best_gold() -> None:
    assert one(["green", "dark green leaves"], "dark green")[1] == pytest.approx(2 * 2 / 5)


def test_nothing_in_common() -> None:
    assert one(["one"], "two") == (0.0, 0.0)


def test_unanswerable_wants_an_empty_answer() -> None:
    assert one([], "") == (1.0, 1.0)
    assert one([], "the") == (1.0, 1.0)  # which is nothing once it is normalized
    assert one([], "something") == (0.0, 0.0)
    assert one(["something"], "") == (0.0, 0.0)


def test_golds_that_are_nothing_do_not_count() -> None:
    assert one(["the", "end"], "") == (0.0, 0.0)
    assert one(["the"], "") == (1.0, 1.0)


def test_means_and_rows() -> None:
    found = answer_scores([["a cat"], ["dog"]], ["cat", "big dog"])
    assert found.exact_matches == (1.0, 0.0)
    assert found.f1s == (1.0, pytest.approx(2 / 3))
    assert found.exact_match == 0.5
    assert found.f1 == pytest.approx(5 / 6)


def test_as_many_answers_as_questions() -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        answer_scores([["a"]], [])


def test_threshold_by_hand() -> None:
    # Above 0.6 lies a question without an answer; below it one that is worth 0.5.
    has_answer = np.array([True, False, True])
    found = best_no_answer_threshold([0.2, 0.9, 0.6], [1.0, 0.0, 0.5], has_answer)
    assert found == (0.6, pytest.approx((1 + 0.5 + 1) / 3))


def test_no_answer_at_all_may_be_best() -> None:
    assert best_no_answer_threshold([0.5, 0.6], [0.0, 0.0], np.array([False, False])) == (0.0, 1.0)


@given(
    st.lists(
        st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.9]), st.floats(0, 1), st.booleans()),
        min_size=1,
        max_size=12,
    )
)
def test_no_other_threshold_is_better(rows: list[tuple[float, float, bool]]) -> None:
    certainty, scores, has_answer = (np.array(column) for column in zip(*rows, strict=True))
    scores = np.where(has_answer, scores, 0.0)
    threshold, value = best_no_answer_threshold(certainty, scores, has_answer)

    def worth(limit: float) -> float:
        return float(np.where(certainty > limit, ~has_answer, scores).mean())

    assert value == pytest.approx(worth(threshold))
    assert value == pytest.approx(max(worth(limit) for limit in (0.0, 0.1, 0.3, 0.5, 0.9)))
