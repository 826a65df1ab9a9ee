import math
from collections.abc import Callable

import numpy as np
import pytest

from distilcli.scores.abstention import (
    THRESHOLDS,
    Answered,
    Decisions,
    answered_at,
    binomial_tail,
    fewest_rows,
    lowest_threshold,
    new_rows_tail,
    risk_coverage,
)

Array = np.ndarray


def of_rows(scores: Array, wrong: Array, rows: Array | None = None) -> Decisions:
    labels = np.full(len(scores), "a")
    return Decisions(labels, scores, wrong, np.arange(len(scores)) if rows is None else rows)


@pytest.mark.parametrize(
    ("successes", "trials", "probability"), [(0, 10, 0.5), (3, 40, 0.2), (7, 500, 0.02)]
)
def test_the_tail_of_a_binomial(successes: int, trials: int, probability: float) -> None:
    exact = sum(
        math.comb(trials, k) * probability**k * (1 - probability) ** (trials - k)
        for k in range(successes + 1)
    )
    assert binomial_tail(successes, trials, probability) == pytest.approx(exact)
    assert binomial_tail(trials, trials, probability) == 1


@pytest.mark.parametrize(
    ("wrong", "rows", "max_error"), [(0, 10, 0.5), (3, 40, 0.2), (7, 500, 0.02), (2, 30, 0.1)]
)
def test_the_tail_of_as_many_new_rows(wrong: int, rows: int, max_error: float) -> None:
    errors = wrong + round(max_error * rows) + 1
    ways = [math.comb(rows, k) * math.comb(rows, errors - k) for k in range(wrong + 1)]
    exact = sum(ways) / math.comb(2 * rows, errors)
    assert new_rows_tail(wrong, rows, max_error) == pytest.approx(exact)
    # As many errors as are allowed show nothing.
    assert new_rows_tail(errors, rows, max_error) == 1


@pytest.mark.parametrize(
    ("wrong", "count", "bound"),
    # Clopper and Pearson's bounds as R's binom.test(alternative="less") gives them.
    [(0, 149, 0.0199052), (3, 500, 0.0154337), (10, 10, 1.0)],
)
def test_the_upper_bound_of_an_error(wrong: int, count: int, bound: float) -> None:
    found = Answered(0.5, count, wrong, count, 1.0)
    assert found.bound(0.95) == pytest.approx(bound, abs=1e-6)


def test_nothing_answered_has_no_error() -> None:
    found = answered_at(of_rows(np.array([0.3]), np.array([True])), 0.5)
    assert (found.count, found.coverage) == (0, 0)
    assert math.isnan(found.error)
    assert math.isnan(found.bound(0.95))


def test_the_fewest_rows_that_show_anything() -> None:
    assert fewest_rows(max_error=0.02, confidence=0.95) == 200
    for count, is_found in ((199, False), (200, True)):
        sure = of_rows(np.full(count, 0.9), np.zeros(count, dtype=bool))
        found = lowest_threshold(sure, max_error=0.02, confidence=0.95)
        assert (found is not None) is is_found


def test_the_threshold_is_the_lowest_that_can_be_shown() -> None:
    scores = np.concatenate([np.full(300, 0.95), np.full(300, 0.6)])
    wrong = np.concatenate([np.zeros(300, dtype=bool), np.arange(300) % 3 == 0])
    found = lowest_threshold(of_rows(scores, wrong), max_error=0.05, confidence=0.95)
    assert found is not None
    assert found.threshold == THRESHOLDS[THRESHOLDS > 0.6].min()
    assert (found.count, found.wrong, found.coverage) == (300, 0, 0.5)
    lenient = lowest_threshold(of_rows(scores, wrong), max_error=0.3, confidence=0.95)
    assert lenient is not None
    assert lenient.coverage == 1


def test_what_is_wrong_together_counts_once() -> None:
    # Ten rows of twenty decisions each are ten rows and not two hundred.
    rows = np.repeat(np.arange(10), 20)
    made = of_rows(np.full(200, 0.9), np.zeros(200, dtype=bool), rows)
    assert answered_at(made, 0.5).independent == (0, 10)
    assert lowest_threshold(made, max_error=0.05, confidence=0.95) is None


def test_the_error_by_coverage() -> None:
    scores = np.linspace(0.5, 0.99, 20)
    found = risk_coverage(of_rows(scores, scores < 0.55))
    assert [one.coverage for one in found] == pytest.approx(
        [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]
    )
    assert [one.wrong for one in found[:3]] == [2, 0, 0]
    # Equal scores are answered together.
    assert [one.coverage for one in risk_coverage(of_rows(np.full(9, 0.7), scores[:9] < 0))] == [1]
    assert risk_coverage(of_rows(np.array([]), np.array([], dtype=bool))) == []


def calibrated(score: Array) -> Array:
    return 1 - score


def overconfident(score: Array) -> Array:
    return np.clip(3 * (1 - score), 0, 0.6)


def useless(score: Array) -> Array:
    return np.full_like(score, 0.12)


def upside_down(score: Array) -> Array:
    """The surest are more often wrong than those below them."""
    return np.where(score > 0.97, 0.2, np.where(score > 0.9, 0.02, 0.4))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error_at", "together"),
    [(calibrated, 1), (calibrated, 3), (overconfident, 1), (useless, 1), (upside_down, 1)],
)
def test_the_bound_holds_on_new_rows(error_at: Callable[[Array], Array], together: int) -> None:
    """Over many draws of the rows, a threshold is too low in at most 1 - confidence of them.

    Scores are one of a thousand values, so that the error in the long run is known; as many new
    rows are drawn as well. `together` decisions of a row have one score and are right or wrong
    together.
    """
    random = np.random.default_rng(7)
    values = 1 / (1 + np.exp(-np.abs(random.normal(2.5, 2.0, 1000))))
    errors = error_at(values)
    max_error, confidence, draws, rows = 0.1, 0.9, 100, 400
    too_low, too_many, coverage = 0, 0, 0.0

    def drawn() -> Decisions:
        chosen = random.integers(len(values), size=rows)
        wrong = random.random(rows) < errors[chosen]
        of_each = np.arange(rows).repeat(together)
        return of_rows(values[chosen].repeat(together), wrong.repeat(together), of_each)

    for _ in range(draws):
        found = lowest_threshold(drawn(), max_error=max_error, confidence=confidence)
        if found is not None:
            answered = values >= found.threshold
            too_low += errors[answered].mean() > max_error
            too_many += answered_at(drawn(), found.threshold).error > max_error
            coverage += answered.mean() / draws
    # Three standard errors of the share of draws.
    share = 1 - confidence
    allowed = share + 3 * math.sqrt(share * (1 - share) / draws)
    assert too_low / draws <= allowed
    assert too_many / draws <= allowed
    if error_at in (calibrated, overconfident):
        best = max(
            float((values >= value).mean())
            for value in THRESHOLDS
            if (values >= value).any() and errors[values >= value].mean() <= max_error
        )
        assert coverage > 0.4 * best
