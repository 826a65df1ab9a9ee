import threading
from collections.abc import Iterator
from itertools import chain, count

import pytest

from distilcli.tokenizer.ahead import Ahead


def test_all_in_order() -> None:
    with Ahead(range(1000), most=7) as ahead:
        blocks = list(ahead)
    assert list(chain.from_iterable(blocks)) == list(range(1000))
    assert max(map(len, blocks)) <= 7


def test_what_has_come_is_not_held_back() -> None:
    more = threading.Event()

    def live() -> Iterator[str]:
        yield "first"
        more.wait(10)
        yield "second"

    with Ahead(live(), most=100) as ahead:
        blocks = iter(ahead)
        assert next(blocks) == ["first"]
        more.set()
        assert next(blocks) == ["second"]


def test_an_error_comes_after_the_items_before_it() -> None:
    def failing() -> Iterator[int]:
        yield from (1, 2)
        raise ValueError("odd")

    taken: list[int] = []

    def take_all() -> None:
        with Ahead(failing(), most=10) as ahead:
            for block in ahead:
                taken.extend(block)

    with pytest.raises(ValueError, match="odd"):
        take_all()
    assert taken == [1, 2]


def test_no_further_ahead_than_it_may() -> None:
    pulled: list[int] = []

    def endless() -> Iterator[int]:
        for number in count():
            pulled.append(number)
            yield number

    with Ahead(endless(), most=3) as ahead:
        assert next(iter(ahead))[0] == 0
    assert len(pulled) < 20
    threads = [thread for thread in threading.enumerate() if thread.name == "distil-ahead"]
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads)


def test_a_taker_on_another_thread_is_let_go() -> None:
    may_go_on = threading.Event()

    def stuck() -> Iterator[int]:
        may_go_on.wait(10)
        yield 1

    ahead = Ahead(stuck(), most=2)
    with ahead:
        taker = threading.Thread(target=lambda: list(ahead), name="taker", daemon=True)
        taker.start()
    # It is left while its taker waits: no item will come any more.
    taker.join(5)
    may_go_on.set()
    assert not taker.is_alive()
