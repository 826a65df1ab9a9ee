"""Kernels side by side on one core each: everything is done, and torch's setting comes back."""

import threading
from collections.abc import Iterator

import pytest
import torch

from distilcli.model.threads import each_on_a_core, single_threaded


@pytest.fixture(autouse=True, params=[1, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_each_item_is_done_once_by_kernels_of_one_thread(threads: int) -> None:
    done: list[tuple[int, int]] = []
    each_on_a_core(lambda item: done.append((item, torch.get_num_threads())), range(20))
    assert sorted(done) == [(item, 1) for item in range(20)]
    assert torch.get_num_threads() == threads


def test_an_error_comes_through(threads: int) -> None:
    def fail(item: int) -> None:
        raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item 0"):
        each_on_a_core(fail, range(2))
    assert torch.get_num_threads() == threads
    assert not [each for each in threading.enumerate() if each.name.startswith("distil-")]


def test_a_thread_keeps_to_one_core_for_a_while(threads: int) -> None:
    with single_threaded():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == threads
