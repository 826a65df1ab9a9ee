"""The order of training: batches under a token budget, shuffled anew each epoch.

It depends only on seed and epoch, so that a resumed run sees the same batches.
"""

from collections.abc import Sequence

import numpy as np

from distilcli.engine.batching import cut_batches

# Rows are sorted by length within a pool of about this many batches: there is little padding, and
# batches still mix rows of the whole file.
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
