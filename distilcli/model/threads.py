"""How torch's kernels and the cores share the work: many kernels side by side, on one core each.

Kernels that are spread over the cores wait for the slowest of them, which takes long where other
programs run.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Item = TypeVar("Item")


@contextmanager
def single_threaded() -> Iterator[None]:
    """Keep the kernels of this thread to one core for a while."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def use_one_core() -> None:
    """Keep the kernels of a new thread to one core.

    This becomes torch's default for later threads; who started the thread has to undo that.
    """
    # The first query makes torch copy its default to this thread; a later one would undo the
    # setting.
    torch.get_num_threads()
    torch.set_num_threads(1)


def each_on_a_core(work: Callable[[Item], object], items: Iterable[Item]) -> None:
    """Call `work` for each item, for as many at once as torch has threads; raise what it raises."""
    threads = torch.get_num_threads()
    if threads == 1:
        for item in items:
            work(item)
        return
    try:
        with ThreadPoolExecutor(threads, "distil-prepare", use_one_core) as pool:
            for _ in pool.map(work, items):
                pass
    finally:
        torch.set_num_threads(threads)
