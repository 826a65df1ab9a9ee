import threading
from contextlib import nullcontext

import pytest
import torch

from distilcli.engine import Encoded, Piece
from distilcli.engine.window import Window
from distilcli.engine.workers import Workers, is_out_of_memory, workers_on
from distilcli.errors import ResourceError
from distilcli.stats import RunStats

CPU = torch.device("cpu")
CUDA = torch.device("cuda")
# Stand-ins for several accelerators: torch computes on the CPU for both.
FIRST, SECOND = torch.device("cpu:0"), torch.device("cpu:1")


def run(forward, batches, *, count=1, max_tokens=1000, devices=(CPU,), alone=None):
    """Run batches, each a list of piece lengths, and return their windows and the statistics."""
    stats = RunStats()
    workers = Workers(
        forward, count=count, devices=devices, pad_token_id=0, max_tokens=max_tokens, stats=stats
    )
    workers.start()
    windows = []
    for lengths in batches:
        window = Window()
        pieces = [Piece([number] * length) for number, length in enumerate(lengths)]
        window.fill("x", [Encoded(pieces)])
        workers.submit(window, [list(range(len(lengths)))], alone=alone)
        windows.append(window)
    for window in windows:
        workers.finish(window)
    workers.close()
    return windows, stats


def outputs(window):
    return next(window.rows())[2]


def first_ids(batch):
    return batch.input_ids[:, 0].tolist()


def allocator(limit, error, sizes):
    """A forward whose batches fit up to `limit` positions."""

    def forward(batch):
        sizes.append(batch.input_ids.numel())
        if sizes[-1] > limit:
            raise error
        return first_ids(batch)

    return forward


NO_MEMORY = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
    RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
]


@pytest.mark.parametrize("error", NO_MEMORY, ids=str)
def test_a_batch_that_does_not_fit_is_halved_until_it_does(error):
    sizes = []
    [window], stats = run(allocator(4, error, sizes), [[2] * 8])
    assert outputs(window) == list(range(8))
    assert sizes == [16, 8, 4, 4, 4, 4]
    assert stats.halvings == 2
    assert stats.batches == 4


def test_later_batches_start_from_the_size_that_fits():
    sizes = []
    windows, stats = run(allocator(8, MemoryError(), sizes), [[2] * 8] * 5)
    assert [outputs(window) for window in windows] == [list(range(8))] * 5
    assert stats.halvings == 1
    assert sizes == [16, *[8] * 10]


def test_one_sequence_that_does_not_fit_is_a_resource_error():
    [window], stats = run(allocator(4, MemoryError(), []), [[5, 2, 2]])
    assert isinstance(window.failure, ResourceError)
    assert str(window.failure).startswith("out of memory on cpu: one sequence of 5 tokens")
    assert stats.halvings == 1


@pytest.mark.parametrize("error", [RuntimeError("shape mismatch"), KeyError("x")], ids=str)
def test_other_errors_are_kept_as_they_are(error):
    [window], stats = run(allocator(0, error, []), [[1, 1]])
    assert window.failure is error
    assert stats.halvings == 0
    assert not is_out_of_memory(error)


def test_what_onednn_says_where_memory_runs_out():
    error = RuntimeError("could not create a primitive")
    [window], stats = run(allocator(2, error, []), [[1, 1, 1]])
    assert window.failure is None
    assert stats.halvings >= 1


def test_the_other_batches_of_a_failed_window_are_not_run():
    sizes = []
    workers = Workers(
        allocator(1, KeyError("x"), sizes),
        count=1,
        devices=[CPU],
        pad_token_id=0,
        max_tokens=9,
        stats=RunStats(),
    )
    window = Window()
    window.fill("x", [Encoded([Piece([1, 2]), Piece([1])])])
    workers.submit(window, [[0], [1]])
    after = Window()
    after.fill("x", [Encoded([Piece([1])])])
    workers.submit(after, [[0]])
    workers.start()
    assert after.done.wait(10)
    workers.close()
    assert sizes == [2, 1]


def test_workers_run_side_by_side():
    both = threading.Barrier(2, timeout=10)

    def forward(batch):
        both.wait()
        return first_ids(batch)

    workers = Workers(
        forward, count=2, devices=[CPU], pad_token_id=0, max_tokens=9, stats=RunStats()
    )
    window = Window()
    window.fill("x", [Encoded([Piece([1]), Piece([2])])])
    workers.start()
    workers.submit(window, [[0], [1]])
    workers.finish(window)
    workers.close()
    assert window.failure is None
    assert outputs(window) == [1, 2]


def test_one_thread_in_each_worker_and_no_change_elsewhere():
    def fresh_thread():
        seen = []
        thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        return seen[0]

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        inside, beside = [], []

        def forward(batch):
            inside.append((torch.get_num_threads(), torch.is_inference_mode_enabled()))
            beside.append(fresh_thread())
            return first_ids(batch)

        run(forward, [[1]] * 4, count=1)
        assert inside == [(1, True)] * 4
        assert beside == [3] * 4
        assert torch.get_num_threads() == fresh_thread() == 3
    finally:
        torch.set_num_threads(before)


def test_a_batch_that_comes_alone_is_left_to_who_waits_with_all_cores():
    seen = []

    def forward(batch):
        seen.append((threading.current_thread().name, torch.get_num_threads()))
        assert torch.is_inference_mode_enabled()
        return first_ids(batch)

    before = torch.get_num_threads()
    workers = Workers(
        forward, count=3, devices=[CPU], pad_token_id=0, max_tokens=9, stats=RunStats()
    )
    workers.start()
    windows = [Window() for _ in range(3)]
    for window in windows:
        window.fill("x", [Encoded([Piece([1]), Piece([2])])])
    try:
        workers.submit(windows[0], [[0, 1]])
        workers.submit(windows[1], [[0, 1]])  # not alone: another waits
        workers.finish(windows[1])
        assert [name.rpartition("-")[0] for name, _ in seen] == ["distil-worker"]
        workers.finish(windows[0])
        assert seen[1:] == [(threading.current_thread().name, 3)]
        workers.submit(windows[2], [[0], [1]])
        workers.finish(windows[2])
    finally:
        workers.close()
    assert [threads for _, threads in seen] == [1, 3, 1, 1]
    assert outputs(windows[0]) == outputs(windows[2]) == [1, 2]
    assert torch.get_num_threads() == before


def test_a_failure_of_the_batch_that_was_left_is_the_windows():
    def forward(batch):
        raise KeyError("x")

    [window], _ = run(forward, [[1]], count=2)
    assert isinstance(window.failure, KeyError)


def test_each_worker_of_a_cuda_device_has_a_stream_of_its_own(monkeypatch):
    opened = []

    class Entered:
        def __init__(self, stream):
            self.stream = stream

        def __enter__(self):
            opened.append(self.stream)

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(torch.cuda, "Stream", lambda device: object())
    monkeypatch.setattr(torch.cuda, "stream", Entered)
    monkeypatch.setattr("distilcli.engine.workers.pad", lambda pieces, **_: pieces)
    both = threading.Barrier(2, timeout=10)

    def forward(pieces):
        both.wait()
        return [0] * len(pieces)

    windows, _ = run(forward, [[1], [2]], count=2, devices=[CUDA])
    assert [window.failure for window in windows] == [None, None]
    assert len(set(opened)) == 2


def test_each_worker_has_its_stream_on_its_own_device(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, "Stream", asked.append)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: nullcontext())
    monkeypatch.setattr("distilcli.engine.workers.pad", lambda pieces, **_: pieces)
    devices = [torch.device("cuda:0"), torch.device("cuda:1")]
    run(lambda pieces: [0] * len(pieces), [[1]], count=4, devices=devices)
    assert sorted(map(str, asked)) == ["cuda:0", "cuda:0", "cuda:1", "cuda:1"]


def test_how_many_workers_devices_get():
    devices = [torch.device("cuda:0"), torch.device("cuda:1")]
    assert workers_on(*devices, cores=16) == 4
    assert workers_on(CPU, cores=16) == 16
    assert workers_on(torch.device("mps"), cores=16) == 1


def test_workers_take_turns_over_the_devices_and_batches_say_theirs():
    all_four, seen = threading.Barrier(4, timeout=10), []

    def forward(batch):
        seen.append(str(batch.device))
        all_four.wait()
        return first_ids(batch)

    windows, stats = run(
        forward, [[1], [2], [3], [4]], count=4, devices=[FIRST, SECOND], alone=False
    )
    assert [window.failure for window in windows] == [None] * 4
    assert sorted(seen) == ["cpu:0", "cpu:0", "cpu:1", "cpu:1"]
    assert stats.batches == 4


def test_a_free_device_takes_the_batches_of_a_busy_one():
    is_busy, others_are_done, seen = threading.Event(), threading.Event(), []

    def forward(batch):
        if batch.device == FIRST:
            is_busy.set()
            assert others_are_done.wait(60)
        else:
            assert is_busy.wait(60)
        seen.append(str(batch.device))
        if len(seen) == 5:
            others_are_done.set()
        return first_ids(batch)

    windows, _ = run(forward, [[1, 1]] * 6, count=2, devices=[FIRST, SECOND], alone=False)
    assert [outputs(window) for window in windows] == [[0, 1]] * 6
    assert seen.count("cpu:0") == 1


def test_a_device_with_little_memory_leaves_the_others_their_batches():
    sizes = {FIRST: [], SECOND: []}
    both = threading.Barrier(2, timeout=10)

    def forward(batch):
        sizes[batch.device].append(batch.input_ids.numel())
        if len(sizes[batch.device]) == 1:
            both.wait()  # each device has a batch of its own
        if batch.device == SECOND and batch.input_ids.numel() > 4:
            raise MemoryError
        return first_ids(batch)

    stats = RunStats()
    workers = Workers(
        forward, count=2, devices=[FIRST, SECOND], pad_token_id=0, max_tokens=16, stats=stats
    )
    workers.start()
    windows = [Window() for _ in range(20)]
    for window in windows:
        window.fill("x", [Encoded([Piece([n] * 2) for n in range(8)])])
        workers.submit(window, [list(range(8))], alone=False)
    for window in windows:
        workers.finish(window)
    workers.close()
    assert [outputs(window) for window in windows] == [list(range(8))] * 20
    assert set(sizes[FIRST]) == {16}
    assert sizes[SECOND][:6] == [16, 8, 4, 4, 4, 4]
    assert set(sizes[SECOND][6:]) <= {4}
    assert (stats.halvings, workers.max_tokens) == (2, 16)


def test_one_sequence_that_does_not_fit_names_its_device():
    def forward(batch):
        raise MemoryError

    [window], _ = run(forward, [[5]], devices=[SECOND])
    assert str(window.failure).startswith("out of memory on cpu:1: one sequence of 5 tokens")


def test_batches_are_on_the_device_and_timed():
    devices = []

    def forward(batch):
        devices.append(batch.input_ids.device.type)
        return [0] * len(batch.pieces)

    _, stats = run(forward, [[3, 1], [2]], devices=[torch.device("meta")])
    assert devices == ["meta", "meta"]
    assert (stats.batches, stats.tokens, stats.positions) == (2, 6, 8)


def test_threads_that_cannot_be_had_end_in_one_line_and_no_thread_waits(monkeypatch):
    start = threading.Thread.start

    def limited(thread):
        if thread.name == "distil-worker-2":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    workers = Workers(
        first_ids, count=4, devices=[CPU], pad_token_id=0, max_tokens=9, stats=RunStats()
    )
    with pytest.raises(ResourceError, match=r"only 2 of 4 threads .* fewer `threads`"):
        workers.start()
    workers.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("distil-worker")]


def test_a_thread_that_cannot_begin_ends_the_start(monkeypatch):
    def no_stream(_device):
        raise ResourceError("no stream")

    monkeypatch.setattr("distilcli.engine.workers._stream", no_stream)
    workers = Workers(
        first_ids, count=2, devices=[CPU], pad_token_id=0, max_tokens=9, stats=RunStats()
    )
    with pytest.raises(ResourceError, match="no stream"):
        workers.start()
    workers.close()


def test_a_forward_that_forgets_a_sequence_ends_its_window():
    windows, _ = run(lambda batch: first_ids(batch)[1:], [[1], [2, 3]], count=2)
    assert all(isinstance(window.failure, ValueError) for window in windows)


def test_a_start_that_broke_off_can_be_closed() -> None:
    """Ctrl-C may come while the main thread waits for the workers to be ready."""
    workers = Workers(
        first_ids, count=2, devices=[CPU], pad_token_id=0, max_tokens=9, stats=RunStats()
    )
    for thread in workers._threads:
        thread.start()  # and nobody meets them at the barrier
    closing = threading.Thread(target=workers.close, daemon=True)
    closing.start()
    closing.join(10)
    assert not closing.is_alive()
