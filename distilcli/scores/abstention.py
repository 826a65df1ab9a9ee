"""The lowest score at which answers are right often enough, with a bound that holds on new rows.

Selective classification with guaranteed risk (Geifman and El-Yaniv 2017) found by Learn then Test
(Angelopoulos et al. 2021): thresholds from a fixed grid are tested from the highest to the lowest,
by the fallback procedure (Wiens 2003), which keeps the probability of accepting one that is too low
below 1 - confidence. A test is exact: the hypergeometric tail (Fisher 1935) of the rows given and
as many new ones, so that what is promised is what will be counted on them. That is stricter than
the binomial tail (Clopper and Pearson 1934), which bounds the error in the long run.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distilcli.scores.precision_recall import Array

_LOG_ODDS = np.arange(160, -71, -1) / 10
THRESHOLDS: Array = 1 / (1 + np.exp(-_LOG_ODDS))
"""The grid, from 0.9999999 down to 0.0009. It must not depend on the rows."""

_BISECTIONS = 50
_ROUNDING = 1e-9  # a tenth of thirty rows are three
_SHARES = tuple(share / 10 for share in range(10, 0, -1))


@dataclass(frozen=True, slots=True)
class Decisions:
    """Decisions (D,), their `scores`, and whether they are `wrong`.

    `rows` (D,) are the indices of the rows that they belong to: those of one row may be wrong
    together. `labels` (D,) are the names of what was decided.
    """

    labels: Array
    scores: Array
    wrong: Array
    rows: Array

    def where(self, chosen: Array) -> "Decisions":
        """Return some of the decisions."""
        return Decisions(
            self.labels[chosen], self.scores[chosen], self.wrong[chosen], self.rows[chosen]
        )


@dataclass(frozen=True, slots=True)
class Answered:
    """The `count` of decisions at or above a threshold, how many are `wrong`, in how many `rows`.

    `coverage` is their share of all decisions.
    """

    threshold: float
    count: int
    wrong: int
    rows: int
    coverage: float

    @property
    def error(self) -> float:
        """The share of wrong decisions; NaN without decisions."""
        return self.wrong / self.count if self.count else math.nan

    @property
    def independent(self) -> tuple[int, int]:
        """Wrong decisions and decisions, as if each row had only one of them.

        With several in a row it is as cautious as if they were always wrong together (a design
        effect of the mean number in a row, Kish 1965).
        """
        if self.rows == self.count:
            return self.wrong, self.count
        return math.ceil(self.wrong * self.rows / self.count), self.rows

    def bound(self, confidence: float) -> float:
        """Return the Clopper-Pearson upper bound of the error; NaN without decisions."""
        wrong, count = self.independent
        if not count:
            return math.nan
        low, high = 0.0, 1.0
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            if binomial_tail(wrong, count, middle) > 1 - confidence:
                low = middle
            else:
                high = middle
        return high


def answered_at(decisions: Decisions, threshold: float) -> Answered:
    """Count the decisions with a score of at least `threshold`."""
    return answered_at_each(decisions, [threshold])[0]


def answered_at_each(decisions: Decisions, thresholds: Sequence[float]) -> list[Answered]:
    """Return what is answered at each threshold; the decisions are sorted once."""
    order = np.argsort(-decisions.scores, kind="stable")
    is_new = np.zeros(len(order), dtype=bool)
    is_new[np.unique(decisions.rows[order], return_index=True)[1]] = True
    wrong, rows = (
        np.concatenate([[0], each.cumsum()]) for each in (decisions.wrong[order], is_new)
    )
    counts = np.searchsorted(-decisions.scores[order], -np.array(thresholds), side="right")
    return [
        Answered(
            threshold,
            count,
            int(wrong[count]),
            int(rows[count]),
            count / len(order) if len(order) else math.nan,
        )
        for threshold, count in zip(thresholds, counts.tolist(), strict=True)
    ]


def lowest_threshold(
    decisions: Decisions, *, max_error: float, confidence: float
) -> Answered | None:
    """Return the lowest threshold at which at most `max_error` of new answers are wrong.

    That holds with probability `confidence` over the draw of the rows; None if no threshold can be
    shown to keep it. What may go wrong, 1 - confidence, is spent at the highest thresholds that
    answer enough rows (`_starts`), and goes on to the next as long as each is accepted.
    """
    starts = _starts(len(np.unique(decisions.rows)), max_error=max_error, confidence=confidence)
    best, level = None, 0.0
    for found in answered_at_each(decisions, THRESHOLDS.tolist()):
        wrong, count = found.independent
        while starts and count >= starts[0][0]:
            level += starts.pop(0)[1]
        if level and new_rows_tail(wrong, count, max_error) <= level:
            best = found
        else:
            level = 0.0
    return best


def _starts(rows: int, *, max_error: float, confidence: float) -> list[tuple[int, float]]:
    """Return how many rows with answers a test begins at, and the level that it begins with.

    Few answers are shown to be right only if none is wrong, so that half of the level waits for a
    quarter of all `rows` where that is more.
    """
    risk, quarter = 1 - confidence, math.ceil(rows / 4)
    early = fewest_rows(max_error=max_error, confidence=1 - risk / 2)
    if quarter > early:
        return [(early, risk / 2), (quarter, risk / 2)]
    fewest = fewest_rows(max_error=max_error, confidence=confidence)
    return [(max(quarter, fewest), risk)]


def fewest_rows(*, max_error: float, confidence: float) -> int:
    """Return how many rows without an error show that the error is at most `max_error`."""
    for wrong in itertools.count():
        rows = max(1, math.ceil(wrong / max_error))
        if new_rows_tail(0, rows, max_error) <= 1 - confidence:
            return rows
    raise AssertionError


def new_rows_tail(wrong: int, rows: int, max_error: float) -> float:
    """Return the probability of at most `wrong` errors if more than `max_error` of new ones are.

    Of twice as many rows as were given, the new ones have the fewest errors that are too many, and
    the errors fall on both halves by chance.
    """
    too_many = math.floor(max_error * rows + _ROUNDING) + 1
    if wrong >= too_many or too_many > rows:
        return 1.0
    errors = np.arange(wrong + 1)
    logs = _log_choose(rows, errors) + _log_choose(rows, wrong + too_many - errors)
    return float(min(1.0, np.exp(logs - _log_choose(2 * rows, wrong + too_many)).sum()))


def _log_choose(total: int, chosen: Array | int) -> Array:
    """Return the logarithms of binomial coefficients; each of `chosen` is at most `total`."""
    steps = np.arange(1, np.max(chosen) + 1)
    logs: Array = np.concatenate([[0.0], np.cumsum(np.log((total - steps + 1) / steps))])
    return logs[chosen]


def binomial_tail(successes: int, trials: int, probability: float) -> float:
    """Return the probability of at most `successes`; 1 if that is not below the mean."""
    if successes >= trials * probability:
        return 1.0
    counts = np.arange(1, successes + 1)
    odds = math.log(probability) - math.log1p(-probability)
    steps = np.log((trials - counts + 1) / counts) + odds
    logs = trials * math.log1p(-probability) + np.concatenate([[0.0], np.cumsum(steps)])
    return float(min(1.0, np.exp(logs).sum()))


def risk_coverage(decisions: Decisions) -> list[Answered]:
    """Return what is answered at ten coverages, from all decisions to the surest tenth.

    Equal scores are answered together, so that coverages may be higher, and fewer.
    """
    ordered = np.sort(decisions.scores)[::-1]
    lasts = [math.ceil(share * len(ordered)) - 1 for share in _SHARES if len(ordered)]
    thresholds = sorted({float(ordered[last]) for last in lasts})
    return answered_at_each(decisions, thresholds)
