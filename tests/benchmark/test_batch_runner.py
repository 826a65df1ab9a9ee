import threading

import pytest
import torch

from distilcli.benchmark.batch_runner import Carrier
from distilcli.engine.batching import Batch, Piece

CPU = torch.device("cpu")


def test_windows_are_cut_by_the_budget_and_carried_so_often() -> None:
    seen: list[tuple[int, int]] = []

    def forward(batch: Batch) -> list[None]:
        seen.append((batch.input_ids.shape[0], batch.input_ids.shape[1]))
        return [None] * len(batch.pieces)

    pieces = [Piece([1] * 8) for _ in range(5)]
    with Carrier(forward, device=CPU, workers=2, max_tokens=16) as carrier:
        assert carrier.count_batches(pieces) == 3
        carrier.carry(pieces)
        assert sorted(seen) == [(1, 8), (2, 8), (2, 8)]
        seen.clear()
        carrier.carry(pieces, times=4)
    assert sorted(seen) == [(1, 8)] * 4 + [(2, 8)] * 8


def test_a_batch_alone_gets_all_cores_and_many_get_one_each() -> None:
    threads: list[int] = []

    def forward(batch: Batch) -> list[None]:
        threads.append(torch.get_num_threads())
        return [None]

    with Carrier(forward, device=CPU, workers=2, max_tokens=16) as carrier:
        carrier.carry([Piece([1] * 8)])
        assert threads == [2]
        carrier.carry([Piece([1] * 8)], times=3)
    assert threads == [2, 1, 1, 1]


def test_batches_that_do_not_fit_are_counted() -> None:
    def forward(batch: Batch) -> list[None]:
        if len(batch.pieces) > 2:
            raise MemoryError
        return [None] * len(batch.pieces)

    with Carrier(forward, device=CPU, workers=1, max_tokens=64) as carrier:
        carrier.carry([Piece([1] * 8)] * 2)
        assert (carrier.halvings, carrier.most_tokens) == (0, 64)
        carrier.carry([Piece([1] * 8)] * 4)
        assert (carrier.halvings, carrier.most_tokens) == (1, 16)


def test_what_goes_wrong_is_raised_and_no_thread_is_left() -> None:
    def forward(batch: Batch) -> list[None]:
        raise ValueError("odd")

    before = threading.active_count()
    carrier = Carrier(forward, device=CPU, workers=1, max_tokens=16)
    with carrier, pytest.raises(ValueError, match="odd"):
        carrier.carry([Piece([1])])
    assert threading.active_count() == before
