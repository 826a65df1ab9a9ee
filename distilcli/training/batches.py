"""The order of training: batches under a token budget, shuffled anew each epoch.

The order depends on the seed and the epoch alone, so that a resumed run sees what the unbroken
run would have seen.
"""

from collections.abc import Sequence

import numpy as np

from distilcli.engine.batching import cut_batches

# Rows of like length are put together within a pool of about this many batches: padding is
# nearly gone, and batches still mix what the whole file holds.
_BATCHES_PER_POOL = 50


def epoch_batches(
    lengths: Sequence[int], *, token_budget: int, seed: int, epoch: int
) -> list[list[int]]:
    """Return one epoch's batches as lists of indices into `lengths` (tokens per row).

    Every row occurs once; rows of a batch times its longest length stay within `token_budget`,
    unless one row alone is longer.
    """
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(len(lengths)).tolist()
    mean = max(1.0, sum(lengths) / max(1, len(lengths)))
    pool_rows = max(1, int(_BATCHES_PER_POOL * token_budget / mean))
    batches: list[list[int]] = []
    for start in range(0, len(order), pool_rows):
        pool = order[start : start + pool_rows]
        pool_lengths = [lengths[index] for index in pool]
        cut = cut_batches(pool_lengths, max_tokens=token_budget, max_rows=None)
        batches.extend([pool[position] for position in batch] for batch in cut)
    return [batches[index] for index in rng.permutation(len(batches))]
