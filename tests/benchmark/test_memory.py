from pathlib import Path

import pytest
import torch

from distilcli.benchmark import memory
from distilcli.benchmark.memory import MemoryWatch, reset_peak, settle
from distilcli.memory import resident_bytes

CPU = torch.device("cpu")
SIZE = 2**28

forgets = pytest.mark.skipif(not reset_peak(), reason="this system cannot reset the peak")


@pytest.mark.slow
@forgets
def test_a_watch_sees_what_is_taken_after_it_began() -> None:
    del_me = torch.ones(SIZE, dtype=torch.uint8)
    del del_me
    watch = MemoryWatch(CPU, held=1000)
    before = watch.read()
    taken = torch.ones(SIZE // 2, dtype=torch.uint8)
    after = watch.read()
    assert taken.numel() == SIZE // 2
    assert before.process is not None
    assert after.process is not None
    assert before.added is not None
    assert after.added is not None
    assert before.added < SIZE // 4  # the larger tensor was gone by then
    assert after.added - before.added > SIZE // 4
    assert after.cuda_allocated is None


@pytest.mark.slow
def test_where_a_peak_stays_nothing_tells_what_was_added(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory, "_CLEAR", tmp_path / "no" / "clear_refs")
    del_me = torch.ones(SIZE, dtype=torch.uint8)
    del del_me
    assert MemoryWatch(CPU, held=1000).read().added is None


@pytest.mark.slow
@forgets
def test_what_the_model_holds_counts_as_added() -> None:
    held = 2**40
    added = MemoryWatch(CPU, held=held).read().added
    assert added is not None
    assert added >= held
    assert MemoryWatch(CPU, held=None).read().added is None


@pytest.mark.slow
@forgets
def test_what_is_taken_from_memory_left_free_is_seen() -> None:
    def take() -> list[torch.Tensor]:
        return [torch.ones(2**10) for _ in range(2**14)]

    gone = take()
    del gone
    watch = MemoryWatch(CPU, held=0)
    taken = take()
    added = watch.read().added
    assert len(taken) == 2**14
    assert added is not None
    assert added > 2**25


@forgets
def test_resident_memory() -> None:
    found = resident_bytes()
    assert found is not None
    assert found > 2**20


@forgets
def test_what_is_free_is_given_back() -> None:
    small = [torch.ones(2**10) for _ in range(2**14)]  # each too small for a map of its own
    full = resident_bytes()
    del small
    settle()
    settled = resident_bytes()
    assert full is not None
    assert settled is not None
    assert full - settled > 2**25
