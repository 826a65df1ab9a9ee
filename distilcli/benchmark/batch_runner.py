"""Batches carried as a run over files carries them: by the engine's own workers."""

from collections.abc import Callable, Sequence
from time import perf_counter
from types import TracebackType
from typing import Any

import torch

from distilcli.engine.batching import Batch, Piece, cut_batches
from distilcli.engine.task import Encoded
from distilcli.engine.window import Window
from distilcli.engine.workers import Workers
from distilcli.stats import RunStats


class Carrier:
    """The workers of one model, and windows through them; a context manager.

    A window is cut by `max_tokens`. One that is a single batch and comes alone gets all cores;
    what comes in several goes to workers of one core each.
    """

    def __init__(
        self,
        forward: Callable[[Batch], Sequence[Any]],
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
            device=device,
            pad_token_id=0,
            max_tokens=max_tokens,
            stats=self._stats,
        )

    def __enter__(self) -> "Carrier":
        self._threads.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._threads.close()

    @property
    def halvings(self) -> int:
        """How often a batch did not fit in memory and was cut in two."""
        return self._stats.halvings

    @property
    def most_tokens(self) -> int:
        """The tokens of the largest batch: `max_tokens`, or fewer once memory ran out."""
        return self._threads.max_tokens

    def count_batches(self, pieces: Sequence[Piece]) -> int:
        """Return how many batches a window of these pieces is cut into."""
        return len(self._cut(pieces))

    def carry(self, pieces: list[Piece], *, times: int = 1) -> float:
        """Carry a window through the model `times` times at once; return the seconds it took.

        Raises what went wrong with it.
        """
        cut, size = self._cut(pieces), len(pieces)
        batches = [[place + size * n for place in batch] for n in range(times) for batch in cut]
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
