import queue
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilcli.errors import InputError
from distilcli.rows import prefetch
from distilcli.rows.prefetch import ReadAhead


def started(items, *, max_rows=100, max_size=1000, size=len, live=False):
    reader = ReadAhead(items, size=size, max_rows=max_rows, max_size=max_size, live=live)
    reader.start()
    return reader


def take_all(reader):
    windows = []
    while window := reader.take():
        windows.append(window)
    reader.close()
    return windows


@settings(deadline=None, max_examples=50)
@given(
    items=st.lists(st.text(max_size=9), max_size=40),
    max_rows=st.integers(1, 10),
    max_size=st.integers(1, 30),
    live=st.booleans(),
)
def test_windows_hold_every_item_in_order_within_the_bounds(items, max_rows, max_size, live):
    windows = take_all(started(items, max_rows=max_rows, max_size=max_size, live=live))

    assert [item for window in windows for item in window] == items
    for window in windows:
        assert len(window) <= max_rows
        assert sum(map(len, window[:-1])) < max_size


def test_windows_are_the_same_at_any_pace():
    def source():
        for letter in "abcdefgh":
            time.sleep(0.01)
            yield letter

    windows = [["a", "b", "c"], ["d", "e", "f"], ["g", "h"]]
    assert take_all(started("abcdefgh", max_rows=3)) == windows
    assert take_all(started(source(), max_rows=3)) == windows
    assert take_all(started(source(), max_size=3)) == windows


def test_a_window_falls_short_only_at_the_end():
    for letters, wanted in (("abcde", [False, True]), ("abcdef", [False, False])):
        reader = started(letters, max_rows=3)
        assert [(reader.take(), reader.fell_short)[1] for _ in range(2)] == wanted
        reader.close()


def test_a_live_source_that_keeps_giving_fills_the_window(monkeypatch):
    monkeypatch.setattr(prefetch, "_QUIET_SECONDS", 10)
    monkeypatch.setattr(prefetch, "_LINGER_SECONDS", 10)
    assert take_all(started("abcdefgh", max_rows=3, live=True)) == [
        ["a", "b", "c"],
        ["d", "e", "f"],
        ["g", "h"],
    ]


def test_an_item_is_handed_over_before_the_next_one_comes():
    pipe = queue.Queue()
    reader = started(iter(lambda: pipe.get(timeout=10), None), live=True)
    for item in ("first", "second"):
        pipe.put(item)
        assert reader.take() == [item]
    pipe.put(None)
    assert reader.take() == []
    reader.close()


def test_an_item_is_not_kept_while_a_trickle_goes_on(monkeypatch):
    monkeypatch.setattr(prefetch, "_QUIET_SECONDS", 10)
    monkeypatch.setattr(prefetch, "_LINGER_SECONDS", 0)
    pipe = queue.Queue()
    reader = started(iter(lambda: pipe.get(timeout=10), None), live=True)
    pipe.put("first")
    assert reader.take() == ["first"]
    pipe.put(None)
    reader.close()


def test_an_error_of_the_source_comes_after_its_items():
    def source():
        yield "a"
        raise InputError("b.csv: line 2: broken")

    reader = started(source())
    assert reader.take() == ["a"]
    with pytest.raises(InputError, match="line 2"):
        reader.take()
    reader.close()


def test_an_error_of_size_is_an_error_of_the_source():
    reader = started([3], size=len)
    with pytest.raises(TypeError):
        reader.take()
    reader.close()


def test_close_lets_a_waiting_taker_go():
    release = threading.Event()
    reader = started(iter(lambda: release.wait(10) and None, None))
    taken = []
    taker = threading.Thread(target=lambda: taken.append(reader.take()))
    taker.start()
    reader.close()
    taker.join(timeout=10)
    assert taken == [[]]
    release.set()


def test_close_stops_a_reader_that_waits_for_room():
    pulled = []

    def source():
        for number in range(1000):
            pulled.append(number)
            yield str(number)

    reader = started(source(), max_rows=2)
    reader.take()
    reader.close()
    assert len(pulled) < 10
    assert reader.take() == []
