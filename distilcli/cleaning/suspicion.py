"""How suspicious a label is, from probabilities of a model that has not learned from its row.

The ranking is that of confident learning by normalized margin (Northcutt, Jiang and Chuang 2021,
"Confident Learning: Estimating Uncertainty in Dataset Labels").
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from distilcli.model.linear_fit import Problem, Softmax, held_out
from distilcli.vectors.index import Array


@dataclass(frozen=True, slots=True)
class Suspicions:
    """Of each row: the likeliest label other than its own, and by how much it is likelier.

    `margins` (N,) are from -1 to 1, and -1 for the only row of a label, of which nothing is known.
    """

    suggested: Array
    margins: Array


def probabilities(vectors: Array, labels: Sequence[int], *, seed: int = 0) -> Array:
    """Return out-of-sample probabilities (N, C) of a linear fit to vectors (N, D).

    They are NaN for the only row of a label.
    """
    index = np.asarray(labels)
    targets = F.one_hot(torch.from_numpy(index)).float()
    weights = torch.ones(len(index), 1)
    features = torch.from_numpy(np.asarray(vectors, np.float32))
    outputs = held_out(Problem(features, targets, weights, index, Softmax()), seed=seed)
    found: Array = outputs.softmax(dim=1).numpy()
    return found


def suspicions(found: Array, labels: Sequence[int]) -> Suspicions:
    """Compare the probability (N, C) of each row's own label with the best of the others."""
    rows, own = np.arange(len(found)), np.asarray(labels)
    others = found.copy()
    others[rows, own] = -1
    suggested = np.nan_to_num(others, nan=-1).argmax(axis=1)
    margins = np.nan_to_num(found[rows, suggested] - found[rows, own], nan=-1)
    return Suspicions(suggested, margins)
