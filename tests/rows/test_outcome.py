import pytest

from distilcli.errors import RowError
from distilcli.rows.outcome import Outcome, settle
from distilcli.stats import RunStats

ROWS = [
    Outcome("a", value=1, truncated=True),
    Outcome("b", error="first"),
    Outcome("c", value=3),
    Outcome("d", error="second"),
]


def test_failed_rows_are_kept_and_counted():
    stats = RunStats()
    assert list(settle(ROWS, on_error="keep", stats=stats)) == [ROWS]
    assert (stats.rows, stats.failed, stats.skipped, stats.truncated) == (4, 2, 0, 1)
    assert stats.first_error == "first"


def test_failed_rows_are_skipped_and_counted():
    stats = RunStats()
    assert list(settle(ROWS, on_error="skip", stats=stats)) == [[ROWS[0], ROWS[2]]]
    assert (stats.rows, stats.failed, stats.skipped) == (4, 2, 2)


def test_stop_raises_the_first_error_after_the_rows_before_it():
    stats = RunStats()
    blocks = settle(iter(ROWS), on_error="stop", stats=stats)
    assert next(blocks) == ROWS[:1]
    with pytest.raises(RowError, match="first"):
        next(blocks)
    assert (stats.rows, stats.failed, stats.first_error) == (2, 1, "first")


def test_a_block_without_rows_is_not_yielded():
    assert list(settle(ROWS[1:2], on_error="skip", stats=RunStats())) == []
