import sys

import pytest

from distilcli.engine import Encoded, Piece
from distilcli.engine.window import Window
from distilcli.errors import RowError


def encoded(*lengths):
    return Encoded([Piece([1] * length) for length in lengths])


def test_outputs_find_their_rows_in_whatever_order_they_come():
    fault = RowError("bad")
    rows = [encoded(3), encoded(), fault, encoded(2, 1)]
    window = Window()
    window.fill("abcd", rows)

    window.put([2], ["d2"])
    assert not window.done.is_set()
    window.put([1, 0], ["d1", "a1"])
    assert window.done.is_set()
    assert list(window.rows()) == [
        ("a", rows[0], ["a1"]),
        ("b", rows[1], []),
        ("c", fault, []),
        ("d", rows[3], ["d1", "d2"]),
    ]


@pytest.mark.parametrize("rows", [[], [Encoded([])], [RowError("bad")]])
def test_rows_without_pieces_are_done_at_once(rows):
    window = Window()
    window.fill(range(len(rows)), rows)
    assert window.done.is_set()


def test_the_first_failure_stays():
    window = Window()
    window.fail(KeyError("first"))
    window.fail(KeyError("second"))
    assert window.done.is_set()
    assert str(window.failure) == "'first'"


def test_every_item_needs_its_row():
    with pytest.raises(ValueError, match="encode gave 1 results for 2 items"):
        Window().fill("ab", [encoded(1)])


def test_every_piece_needs_its_output():
    window = Window()
    window.fill("a", [encoded(1, 1)])
    with pytest.raises(ValueError, match="zip"):
        window.put([0, 1], ["only one"])


def test_a_window_whose_rows_are_taken_keeps_only_its_items():
    window = Window()
    window.fill("a", [encoded(3, 2)])
    window.put([0, 1], ["a1", "a2"])
    piece = window.pieces[0]
    before = sys.getrefcount(piece)
    list(window.rows())
    assert window.items == "a"
    assert window.pieces == []
    assert sys.getrefcount(piece) < before
