import threading

import pytest
import torch

from distilcli.benchmark.batch_runner import BatchRunner
from distilcli.engine.batching import Batch, Piece

CPU = torch.device("cpu")


def test_windows_are_cut_by_the_budget_and_sizes_so_often() -> None:
    seen: list[tuple[int, int]] = []

    def forward(batch: Batch) -> list[None]:
        seen.append((batch.input_ids.shape[0], batch.input_ids.shape[1]))
        return [None] * len(batch.pieces)

    pieces = [Piece([1] * 8) for _ in range(5)]
    with BatchRunner(forward, device=CPU, workers=2, max_tokens=16) as runner:
        assert runner.count_batches(pieces) == 3
        runner.run(pieces)
        assert sorted(seen) == [(1, 8), (2, 8), (2, 8)]
        seen.clear()
        runner.run(pieces, times=4)
    assert sorted(seen) == [(1, 8)] * 4 + [(2, 8)] * 8


def test_a_batch_alone_gets_all_cores_and_many_get_one_each() -> None:
    threads: list[int] = []

    def forward(batch: Batch) -> list[None]:
        threads.append(torch.get_num_threads())
        return [None]

    with BatchRunner(forward, device=CPU, workers=2, max_tokens=16) as runner:
        runner.run([Piece([1] * 8)])
        assert threads == [2]
        runner.run([Piece([1] * 8)], times=3)
    assert threads == [2, 1, 1, 1]


def test_batches_that_do_not_fit_are_counted() -> None:
    def forward(batch: Batch) -> list[None]:
        if len(batch.pieces) > 2:
            raise MemoryError
        return [None] * len(batch.pieces)

    with BatchRunner(forward, device=CPU, workers=1, max_tokens=64) as runner:
        runner.run([Piece([1] * 8)] * 2)
        assert (runner.halvings, runner.max_tokens) == (0, 64)
        runner.run([Piece([1] * 8)] * 4)
        assert (runner.halvings, runner.max_tokens) == (1, 16)


def test_what_goes_wrong_is_raised_and_no_thread_is_left() -> None:
    def forward(batch: Batch) -> list[None]:
        raise ValueError("odd")

    before = threading.active_count()
    runner = BatchRunner(forward, device=CPU, workers=1, max_tokens=16)
    with runner, pytest.raises(ValueError, match="odd"):
        runner.run([Piece([1])])
    assert threading.active_count() == before
