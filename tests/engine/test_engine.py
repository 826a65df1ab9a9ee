import itertools
import os
import queue
import signal
import sys
import threading
import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from distilcli.engine import Encoded, Engine, Outcome, Piece
from distilcli.errors import InputError, ResourceError, RowError
from distilcli.stats import RunStats
from tests.engine._tasks import PAD, Checksum, Row, checksums, expected

CPU = torch.device("cpu")

rows_of_all_kinds = st.lists(
    st.builds(
        Row,
        pieces=st.lists(
            st.lists(st.integers(1, 99), min_size=1, max_size=12).map(tuple), max_size=3
        ).map(tuple),
        fault=st.sampled_from([None, None, None, "encode", "decode"]),
        truncated=st.booleans(),
        name=st.integers(0, 99),
    ),
    max_size=40,
)
settings_of_all_kinds = st.fixed_dictionaries(
    {
        "workers": st.integers(1, 3),
        "max_tokens": st.integers(1, 64),
        "max_rows": st.none() | st.integers(1, 5),
        "window_rows": st.integers(1, 20),
        "window_size": st.integers(1, 200),
    }
)


def engine(task, **options):
    return Engine(task, **{"pad_token_id": PAD, "devices": [CPU], **options})


def flat(blocks):
    return [outcome for block in blocks for outcome in block]


def until_it_raises(run):
    """What a run gives, and the error that ends it, if one does."""
    outcomes = []
    try:
        for block in run:
            outcomes += block
    except (InputError, KeyError) as error:
        return outcomes, error
    return outcomes, None


def plain_rows(count):
    return [Row(((number, 1),), name=number) for number in range(count)]


class LivePipe:
    """Items that come only when the test gives them."""

    def __init__(self):
        self._queue = queue.Queue()

    def give(self, *items):
        for item in items:
            self._queue.put(item)

    def end(self):
        self._queue.put(None)

    def __iter__(self):
        return iter(lambda: self._queue.get(timeout=10), None)


@pytest.mark.slow
@settings(deadline=None, max_examples=80)
@given(rows=rows_of_all_kinds, options=settings_of_all_kinds)
def test_every_row_comes_out_once_in_order_whatever_the_settings(rows, options):
    blocks = list(engine(Checksum(), **options).run(iter(rows)))

    assert flat(blocks) == [expected(row) for row in rows]
    assert all(outcome.item is row for outcome, row in zip(flat(blocks), rows, strict=True))
    assert all(0 < len(block) <= options["window_rows"] for block in blocks)


@settings(deadline=None, max_examples=40)
@given(rows=rows_of_all_kinds, options=settings_of_all_kinds)
def test_skip_leaves_out_the_failed_rows_only(rows, options):
    stats = RunStats()
    blocks = list(engine(Checksum(), on_error="skip", **options).run(rows, stats=stats))

    assert flat(blocks) == [expected(row) for row in rows if row.fault is None]
    assert all(blocks)
    failed = sum(row.fault is not None for row in rows)
    assert (stats.rows, stats.failed, stats.skipped) == (len(rows), failed, failed)


@settings(deadline=None, max_examples=40)
@given(rows=rows_of_all_kinds, options=settings_of_all_kinds)
def test_stop_raises_the_first_failed_row_after_those_before_it(rows, options):
    run = engine(Checksum(), on_error="stop", **options).run(rows)
    fault = next((place for place, row in enumerate(rows) if row.fault), None)

    outcomes, error = until_it_raises(run)
    assert outcomes == [expected(row) for row in rows[:fault]]
    if fault is None:
        assert error is None
    else:
        assert isinstance(error, RowError)
        assert str(error) == expected(rows[fault]).error


def test_stop_does_not_look_behind_the_row_that_failed():
    task = Checksum()
    rows = [Row(((1, 2, 3),)), Row(fault="encode"), *plain_rows(5)]
    with pytest.raises(RowError, match="row 0: cannot be encoded"):
        list(engine(task, on_error="stop").run(rows))
    assert [len(piece) for batch in task.seen for piece in batch.pieces] == [3]


class MeanVector:
    """A real, tiny model: the mean of embeddings over the real ids."""

    def __init__(self):
        self.embedding = torch.nn.Embedding(100, 8)
        torch.nn.init.normal_(self.embedding.weight, generator=torch.Generator().manual_seed(0))

    def size(self, item):
        return len(item)

    def encode(self, items):
        return [Encoded([Piece(list(ids))]) for ids in items]

    def forward(self, batch):
        hidden_states = self.embedding(batch.input_ids)  # (B, T, 8)
        if batch.attention_mask is not None:
            hidden_states = hidden_states * batch.attention_mask.unsqueeze(-1)
        return (
            hidden_states.sum(dim=1).T / torch.tensor([len(piece) for piece in batch.pieces])
        ).T.unbind()

    def decode(self, item, encoded, outputs):
        return outputs[0]


@settings(deadline=None, max_examples=30)
@given(
    rows=st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=20), min_size=1, max_size=30),
    options=settings_of_all_kinds,
)
def test_a_model_gives_a_row_the_same_vector_in_any_company(rows, options):
    task = MeanVector()
    outcomes = flat(engine(task, **options).run(rows))
    with torch.inference_mode():
        alone = torch.stack([task.embedding(torch.tensor(ids)).mean(dim=0) for ids in rows])
    together = torch.stack([outcome.value for outcome in outcomes])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-6)


def test_a_small_budget_over_sorted_rows_pads_little():
    rows = [Row((tuple(range(1, 2 + (number * 7) % 50)),)) for number in range(500)]
    stats = RunStats()
    list(engine(Checksum(), max_tokens=200).run(rows, stats=stats))
    assert stats.tokens == sum(len(row.pieces[0]) for row in rows)
    assert stats.padding_share < 0.02


def test_a_row_on_a_live_pipe_comes_out_before_the_next_one_goes_in():
    pipe = LivePipe()
    run = engine(Checksum(), workers=2).run(pipe, live=True)
    for row in plain_rows(5):
        pipe.give(row)
        assert next(run) == [expected(row)]
    pipe.end()
    assert list(run) == []


def test_rows_that_wait_are_taken_together():
    pipe = LivePipe()
    rows = plain_rows(6)
    run = engine(Checksum(), window_rows=3).run(pipe)
    pipe.give(*rows)
    pipe.end()
    assert flat(run) == [expected(row) for row in rows]


@pytest.mark.parametrize(("count", "cores"), [(2, [2, 2]), (3, [1] * 3), (7, [1] * 7)])
@pytest.mark.parametrize("slow", ["nothing", "source", "forward", "consumer"])
def test_the_pace_of_a_file_does_not_decide_which_batch_gets_all_cores(count, cores, slow):
    def pause(what):
        if what == slow:
            time.sleep(0.005)

    class Cores(Checksum):
        def forward(self, batch):
            pause("forward")
            return [torch.get_num_threads()] * len(batch.pieces)

        def decode(self, item, encoded, outputs):
            pause("consumer")
            return outputs[0]

    def source():
        for row in plain_rows(count):
            pause("source")
            yield row
        pause("source")

    run = engine(Cores(), workers=2, window_rows=3, max_tokens=100).run
    assert [outcome.value for outcome in flat(run(source()))] == cores
    # A run of the rest gives the same.
    rest = itertools.islice(source(), 3, None)
    assert [outcome.value for outcome in flat(run(rest, is_part=lambda: True))] == cores[3:]


def test_an_item_that_begins_a_block_begins_a_window():
    sizes = []

    class Windows(Checksum):
        def encode(self, items):
            sizes.append(len(items))
            return super().encode(items)

    run = engine(Windows(), window_rows=4).run
    rows = list(plain_rows(10))
    begun = {id(rows[number]) for number in (0, 2, 3, 9)}

    flat(run(rows, begins=lambda row: id(row) in begun))

    assert sizes == [2, 1, 4, 2, 1]


@pytest.mark.parametrize("workers", [1, 2])
def test_reading_ahead_is_bounded_by_the_windows_in_flight(workers):
    window_rows, pulled = 4, 0

    def source():
        nonlocal pulled
        for row in plain_rows(400):
            pulled += 1
            yield row

    # In flight, in the reader's buffer, in the consumer's hands; and one row in the reader's.
    bound = (workers + 1 + 1 + 1) * window_rows + 1
    consumed = 0
    for block in engine(Checksum(), workers=workers, window_rows=window_rows).run(source()):
        if consumed == 0:
            time.sleep(0.05)  # let the reader run as far ahead as it may
        assert pulled - consumed <= bound
        consumed += len(block)
    assert consumed == 400


def test_large_rows_travel_in_small_windows():
    rows = [Row((tuple(range(1, 101)),)) for _ in range(10)]
    blocks = list(engine(Checksum(), window_size=250).run(rows))
    assert max(map(len, blocks)) <= 3
    assert len(flat(blocks)) == 10


@pytest.mark.parametrize("window_rows", [1, 100])
def test_workers_share_a_window_and_the_next_one(window_rows):
    inside = []
    met = threading.Event()

    class Together(Checksum):
        def forward(self, batch):
            # A batch waits for one beside it. How many run at once is left to the engine.
            inside.append(batch)
            if len(inside) > 1:
                met.set()
            met.wait(10)
            inside.pop()
            return super().forward(batch)

    rows = plain_rows(4)
    run = engine(Together(), workers=2, max_rows=1, window_rows=window_rows).run(rows)
    assert flat(run) == [expected(row) for row in rows]
    assert met.is_set()


def test_other_devices_get_one_worker():
    threads = set()

    class Shapes(Checksum):
        def forward(self, batch):
            threads.add(threading.current_thread().name)
            return [batch.input_ids.device.type] * len(batch.pieces)

    run = engine(Shapes(), devices=[torch.device("meta")], workers=4, max_rows=1).run(plain_rows(9))
    assert [outcome.value for outcome in flat(run)] == [("meta",)] * 9
    assert threads == {"distil-worker-0"}


def test_running_out_of_memory_changes_nothing_but_the_batches():
    class SmallMemory(Checksum):
        def forward(self, batch):
            if batch.input_ids.numel() > 30:
                raise torch.OutOfMemoryError("out of memory")
            return super().forward(batch)

    rows = [Row((tuple(range(1, 2 + number % 20)),), name=number) for number in range(100)]
    stats = RunStats()
    run = engine(SmallMemory(), workers=2, max_tokens=400, window_rows=30).run(rows, stats=stats)
    assert flat(run) == [expected(row) for row in rows]
    assert stats.halvings > 0
    assert stats.tokens == sum(len(row.pieces[0]) for row in rows)


def test_a_row_that_no_memory_holds_ends_the_run():
    class NoMemory(Checksum):
        def forward(self, batch):
            raise MemoryError

    with pytest.raises(ResourceError, match="one sequence of 2 tokens"):
        list(engine(NoMemory()).run(plain_rows(3)))


def test_an_input_that_breaks_gives_the_rows_before_it_first():
    def source():
        yield from plain_rows(3)
        raise InputError("a.csv: line 5: broken")

    outcomes, error = until_it_raises(engine(Checksum(), window_rows=2).run(source()))
    assert isinstance(error, InputError)
    assert outcomes == [expected(row) for row in plain_rows(3)]


class Undecided(Checksum):
    """A task that knows after `needs` rows what it runs; `early` are the rows run before."""

    def __init__(self, needs):
        super().__init__()
        self.needs, self.read, self.early = needs, 0, 0

    def is_settled(self):
        return self.read >= self.needs

    def encode(self, items):
        self.read += len(items)
        return super().encode(items)

    def forward(self, batch):
        self.early += not self.is_settled()
        return super().forward(batch)

    def engine(self, **options):
        return engine(self, is_settled=self.is_settled, **options)


@pytest.mark.parametrize("needs", [1, 10, 10**9])
def test_rows_of_a_file_wait_until_the_task_is_settled(needs):
    rows = plain_rows(60)
    task = Undecided(needs)
    run = task.engine(workers=2, window_rows=20).run(rows, begins=lambda row: row.name % 3 == 0)
    blocks = list(run)
    assert flat(blocks) == [expected(row) for row in rows]
    assert [len(block) for block in blocks] == [3] * 20
    assert bool(task.early) == (needs > len(rows))  # for a window's worth of rows at most


def test_rows_that_wait_come_before_the_error_of_the_input():
    def source():
        yield from plain_rows(7)
        raise InputError("a.csv: line 9: broken")

    run = Undecided(100).engine().run(source(), begins=lambda row: row.name % 3 == 0)
    outcomes, error = until_it_raises(run)
    assert isinstance(error, InputError)
    assert outcomes == [expected(row) for row in plain_rows(7)]


def test_rows_of_a_live_pipe_do_not_wait_for_the_task():
    pipe = LivePipe()
    run = Undecided(100).engine().run(pipe, live=True)
    pipe.give(*plain_rows(1))
    assert next(run) == [expected(plain_rows(1)[0])]
    run.close()


@pytest.mark.parametrize("method", ["size", "encode", "forward", "decode"])
def test_a_bug_in_a_task_reaches_the_caller_as_it_is(method):
    bug = KeyError(method)

    def broken(*args):
        raise bug

    task = Checksum()
    setattr(task, method, broken)
    with pytest.raises(KeyError) as caught:
        list(engine(task, workers=2).run(plain_rows(3)))
    assert caught.value is bug


def test_windows_before_a_bug_are_given_first():
    class Bug(Checksum):
        def forward(self, batch):
            if 13 in batch.input_ids[:, 0]:
                raise KeyError("13")
            return super().forward(batch)

    run = engine(Bug(), workers=2, window_rows=5).run(plain_rows(50))
    outcomes, error = until_it_raises(run)
    assert isinstance(error, KeyError)
    assert outcomes == [expected(row) for row in plain_rows(50)][: len(outcomes)]
    assert 5 <= len(outcomes) < 14


def test_no_items_no_blocks():
    stats = RunStats()
    assert list(engine(Checksum()).run([], stats=stats)) == []
    assert (stats.rows, stats.batches) == (0, 0)
    assert stats.finished_at is not None


def test_leaving_early_ends_the_threads_and_drops_the_rest():
    task = Checksum()
    run = engine(task, workers=2, window_rows=2).run(plain_rows(10_000))
    assert len(next(run)) > 0
    run.close()
    assert len(task.seen) < 20
    # The reader ends when its next row comes, which nobody waits for.
    running = {thread.name for thread in threading.enumerate()} - {"distil-reader"}
    assert not any(name.startswith("distil-") for name in running)


def test_leaving_while_the_pipe_is_silent_does_not_hang():
    pipe = LivePipe()
    pipe.give(Row())
    run = engine(Checksum()).run(pipe, live=True)
    next(run)
    run.close()
    running = {thread.name for thread in threading.enumerate()}
    assert not running & {"distil-feeder", "distil-worker-0"}
    pipe.end()


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to itself")
def test_an_interrupt_is_heard_while_the_pipe_is_silent():
    release = threading.Event()

    def source():
        time.sleep(0.05)  # the caller waits for a first block by now
        os.kill(os.getpid(), signal.SIGINT)
        release.wait(10)
        yield Row()

    with pytest.raises(KeyboardInterrupt):
        next(engine(Checksum()).run(source()))
    assert not release.is_set()
    release.set()


@pytest.mark.parametrize(
    "name", ["workers", "max_tokens", "max_rows", "window_rows", "window_size"]
)
def test_settings_that_could_never_make_a_batch_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, not 0"):
        engine(Checksum(), **{name: 0})


def test_one_engine_serves_run_after_run():
    one = engine(Checksum(), workers=2)
    stats = RunStats()
    for count in (3, 0, 5):
        rows = plain_rows(count)
        assert flat(one.run(rows, stats=stats)) == [expected(row) for row in rows]
    assert stats.rows == 8


def test_statistics_count_what_was_done():
    rows = [
        Row(((1, 2, 3), (4,)), truncated=True),
        Row(((5, 6),), fault="decode", truncated=True),
        Row(fault="encode"),
        Row(()),
    ]
    stats = RunStats()
    outcomes = flat(engine(Checksum(), max_tokens=100).run(rows, stats=stats))
    assert outcomes[0] == Outcome(rows[0], value=checksums(rows[0]), truncated=True)
    assert outcomes[3] == Outcome(rows[3], value=())
    assert (stats.rows, stats.failed, stats.skipped, stats.truncated) == (4, 2, 0, 1)
    assert (stats.batches, stats.tokens, stats.positions) == (1, 6, 9)
    assert stats.seconds > 0
