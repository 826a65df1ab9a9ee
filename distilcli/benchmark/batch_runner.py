"""Runs windows of batches through the engine's own workers, as a run over files does."""

from collections.abc import Callable, Sequence
from time import perf_counter

import torch

from distilcli.engine.batching import Batch, Piece, cut_batches
from distilcli.engine.task import Encoded
from distilcli.engine.window import Window
from distilcli.engine.workers import Workers
from distilcli.stats import RunStats


class BatchRunner:
    """The workers of one model; a context manager.

    A window is cut into batches of `max_tokens`. A window of one batch, run alone, gets all cores;
    several batches go to workers of one core each.
    """

    def __init__(
        self,
        forward: Callable[[Batch], Sequence[None]],
        *,
        device: torch.device,
        workers: int,
        max_tokens: int,
    ) -> None:
        self.workers = workers
        self._stats = RunStats(device=str(device))
        self._max_tokens = max_tokens
        self._threads = Workers(
            forward,
            count=workers,
            devices=[device],
            pad_token_id=0,
            max_tokens=max_tokens,
            stats=self._stats,
        )

    def __enter__(self) -> "BatchRunner":
        self._threads.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.close()

    @property
    def halvings(self) -> int:
        """How often a batch did not fit in memory and was halved."""
        return self._stats.halvings

    @property
    def max_tokens(self) -> int:
        """The most tokens of a batch; fewer than at first once memory ran out."""
        return self._threads.max_tokens

    def count_batches(self, pieces: Sequence[Piece]) -> int:
        """Return how many batches a window of these pieces is cut into."""
        return len(self._cut(pieces))

    def run(self, pieces: list[Piece], *, times: int = 1) -> float:
        """Run `times` copies of a window at once; return the seconds, or raise its failure."""
        batches = [
            [index + len(pieces) * copy for index in batch]
            for copy in range(times)
            for batch in self._cut(pieces)
        ]
        window: Window[None] = Window()
        window.fill([None], [Encoded(pieces * times)])
        started = perf_counter()
        self._threads.submit(window, batches)
        self._threads.finish(window)
        seconds = perf_counter() - started
        if window.failure is not None:
            raise window.failure
        return seconds

    def _cut(self, pieces: Sequence[Piece]) -> list[list[int]]:
        lengths = [len(piece) for piece in pieces]
        return list(cut_batches(lengths, max_tokens=self._max_tokens, max_rows=None))
