"""Exact search in stored vectors: the nearest to a query, and pairs that are nearly the same.

Nearness is the cosine. Every vector is looked at, a stretch of the file at a time; nothing is
approximated and nothing but the best is kept. The cores are numpy's to use: its matrix product is
as fast as memory can be read, and threads of our own around it made it slower.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from distilcli.errors import InputError
from distilcli.vectors.index import Array, VectorIndex

_PAIR_ROWS = 2048  # rows a side of a block of pairs: 16 MB of scores
_DIGITS = 6
_SLACK = 1e-4  # how far the product of vectors that are said to be of length 1 may be off


@dataclass(frozen=True, slots=True)
class Hit:
    """One stored vector by its number, from 0, and its cosine with the query."""

    number: int
    score: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Two stored vectors by their numbers, the lower first, and their cosine."""

    first: int
    second: int
    score: float


def nearest(stored: VectorIndex, queries: Array, k: int) -> list[list[Hit]]:
    """Return for each of `queries` (Q, width) the `k` nearest vectors, the nearest first.

    Of equals the first stored comes first; vectors that are not numbers, or all zero, have no
    direction and are passed over. Raises `InputError` where the widths differ.
    """
    if queries.shape[1] != stored.width:
        raise InputError(
            f"{stored.path}: its vectors have {stored.width} dimensions, those of the query "
            f"{queries.shape[1]}; search with the model that made them"
        )
    queries = np.ascontiguousarray(_unit(queries.astype(np.float32)).T)  # (width, Q)
    best = [_Best(k) for _ in range(queries.shape[1])]
    # Lengths take longer to find than the product itself. Where the file's maker says that they
    # are 1, they are found only of vectors that can be among the best.
    says_units = bool(stored.about.get("normalized")) and stored.dtype == np.float32
    for first, vectors in stored.stretches():
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            products = vectors @ queries
            lengths = None if says_units else _norms(vectors)[:, 0]
            for column, kept in enumerate(best):
                scores = products[:, column]
                if lengths is None:
                    places = np.flatnonzero(scores > kept.floor_among(scores) - _SLACK)
                    scores = scores[places] / _norms(vectors[places])[:, 0]
                else:
                    places = np.arange(len(vectors))
                    scores = scores / lengths
                kept.offer(first + places, _tidy(scores))
    return [kept.hits() for kept in best]


class _Best:
    """The `k` best scores of a stream of them."""

    def __init__(self, k: int) -> None:
        self._k = k
        self._numbers = np.empty(0, dtype=np.int64)
        self._scores = np.empty(0, dtype=np.float32)

    @property
    def floor(self) -> float:
        """What a score must be above to be among the best."""
        return float(self._scores[-1]) if len(self._scores) == self._k else -np.inf

    def floor_among(self, scores: Array) -> float:
        """Return the same, if these scores are taken in too."""
        if len(scores) < self._k:
            return self.floor
        # Vectors of zeros, whose product is 0, will turn out to be none.
        scores = np.where(scores == 0, -np.inf, np.nan_to_num(scores, nan=-np.inf))
        ordered = np.partition(scores, len(scores) - self._k)
        return max(self.floor, float(ordered[-self._k]))

    def offer(self, numbers: Array, scores: Array) -> None:
        """Take in the scores of the vectors of these numbers, which ascend."""
        places = np.flatnonzero(scores > self.floor)  # never true of NaN
        if not len(places):
            return
        numbers = np.concatenate([self._numbers, numbers[places]])
        merged = np.concatenate([self._scores, scores[places]])
        if len(merged) > 4 * self._k:
            # The k-th best score, and all that equal it: the order below decides among them.
            cut = np.partition(merged, len(merged) - self._k)[-self._k]
            numbers, merged = numbers[merged >= cut], merged[merged >= cut]
        order = np.lexsort((numbers, -merged))[: self._k]
        self._numbers, self._scores = numbers[order], merged[order]

    def hits(self) -> list[Hit]:
        """Return the best, the best first."""
        return [
            Hit(int(number), float(score))
            for number, score in zip(self._numbers, self._scores, strict=True)
        ]


def near_duplicates(stored: VectorIndex, threshold: float) -> Iterator[Pair]:
    """Yield every two vectors whose cosine is at least `threshold`, block by block.

    Vectors that are not numbers, or all zero, are in no pair.
    The work grows with the square of their number, the memory does not grow.
    """
    for first, rows in stored.stretches(_PAIR_ROWS):
        units = _unit(rows)
        for second, others in stored.stretches(_PAIR_ROWS):
            if second < first:
                continue
            with np.errstate(invalid="ignore"):
                scores = _tidy(units @ _unit(others).T)
            near = scores >= threshold
            if second == first:
                near = np.triu(near, k=1)
            for row, column in np.argwhere(near):
                yield Pair(first + int(row), second + int(column), float(scores[row, column]))


def _unit(vectors: Array) -> Array:
    """Return vectors of length 1; one of zeros becomes NaN."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        unit: Array = vectors / _norms(vectors)
    return unit


def _norms(vectors: Array) -> Array:
    """Return the lengths of vectors (N, D) as (N, 1)."""
    norms: Array = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, None]
    return norms


def _tidy(scores: Array) -> Array:
    """Round cosines to what fp32 sums are good for, so that equal vectors have equal scores."""
    return np.round(scores, _DIGITS, out=scores).clip(-1, 1, out=scores)
