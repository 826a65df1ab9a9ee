"""The order of training: steps of batches under a token budget, shuffled anew each epoch.

It depends only on seed and epoch, so that a resumed run sees the same batches.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from distilcli.engine.batching import cut_batches
from distilcli.training.options import TrainingOptions

Batches = list[list[int]]
"""The indices of the examples in each batch."""

# Rows are sorted by length within a pool of about this many batches: there is little padding, and
# batches still mix rows of the whole file.
_BATCHES_PER_POOL = 50


def epoch_batches(
    lengths: Sequence[int],
    *,
    token_budget: int,
    seed: int,
    epoch: int,
    weights: Sequence[float] | None = None,
) -> Batches:
    """Return one epoch's batches as lists of indices into `lengths` (tokens per row).

    Every row occurs once, or as often as `weights` say: with 1.5 twice in half of the rows, which
    are drawn anew in each epoch. Rows of a batch times its longest length stay within
    `token_budget`, unless one row alone is longer.
    """
    rng = np.random.default_rng((seed, epoch))
    order = (
        rng.permutation(len(lengths))
        if weights is None
        else rng.permutation(_repeated(np.asarray(weights), rng))
    ).tolist()
    mean = max(1.0, sum(lengths) / max(1, len(lengths)))
    pool_rows = max(1, int(_BATCHES_PER_POOL * token_budget / mean))
    batches: Batches = []
    for start in range(0, len(order), pool_rows):
        pool = order[start : start + pool_rows]
        pool_lengths = [lengths[index] for index in pool]
        cut = cut_batches(pool_lengths, max_tokens=token_budget, max_rows=None)
        batches.extend([pool[position] for position in batch] for batch in cut)
    return [batches[index] for index in rng.permutation(len(batches))]


def _repeated(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the index of each row as often as its weight says, at random for a fraction."""
    whole = np.floor(weights)
    times = whole + (rng.random(len(weights)) < weights - whole)
    return np.repeat(np.arange(len(weights)), times.astype(np.int64))


class StepPlan:
    """The steps of a run, each made of several batches, and the steps that are evaluated."""

    def __init__(
        self,
        sizes: Sequence[int],
        options: TrainingOptions,
        weights: Sequence[float] | None = None,
    ) -> None:
        self._sizes = sizes
        self._weights = weights
        self._options = options
        self._epoch_ends: list[int] = []
        self.total = 0
        for epoch in range(options.passes):
            self.total += len(self.of_epoch(epoch))
            self._epoch_ends.append(self.total)

    @property
    def evaluations(self) -> int:
        """The number of evaluations without early stopping."""
        every = self._options.evaluate_every
        return self._options.passes if every is None else -(-self.total // every)

    def of_epoch(self, epoch: int) -> list[Batches]:
        """Return the batches of each step of an epoch."""
        options = self._options
        batches = epoch_batches(
            self._sizes,
            token_budget=options.token_budget,
            seed=options.seed,
            epoch=epoch,
            weights=self._weights,
        )
        size = options.accumulate
        return [batches[start : start + size] for start in range(0, len(batches), size)]

    def after(self, step: int) -> Iterator[tuple[int, Batches]]:
        """Yield (epoch, batches) of every step after `step`, counted from 1."""
        done = 0
        for epoch in range(self._options.passes):
            for batches in self.of_epoch(epoch):
                done += 1
                if done > step:
                    yield epoch, batches

    def is_evaluated(self, step: int) -> bool:
        """Say whether the model is evaluated after a step."""
        every = self._options.evaluate_every
        at_end = step == self.total or (every is None and step in self._epoch_ends)
        return at_end or (every is not None and step % every == 0)
