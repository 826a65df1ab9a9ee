"""Exact search by cosine: the vectors nearest to a query, and pairs that are nearly the same.

Every vector is compared, one chunk of the index at a time; nothing is approximated and only the
best are kept. numpy uses the cores: its matrix product is as fast as memory can be read, and
threads around it made it slower.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from distilcli.vectors.index import Array, VectorIndex

PAIR_ROWS = 2048  # rows per side of a block of pairs: 16 MB of scores
_DIGITS = 6
_SLACK = 1e-4  # how far products may be off for vectors that are normalized by their metadata


@dataclass(frozen=True, slots=True)
class Hit:
    """A stored vector by its index, its cosine with the query, and its id and text, if known."""

    index: int
    score: float
    row: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        row = f", row={self.row}" if self.row else ""
        return f"Hit(index={self.index}, score={self.score:.4g}{row})"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two stored vectors by their indices, the lower first, and their cosine."""

    first: int
    second: int
    score: float


def nearest(stored: VectorIndex, queries: Array, k: int) -> list[list[Hit]]:
    """Return the `k` nearest vectors for each of `queries` (Q, width), the nearest first.

    Of equal scores the first stored wins; vectors with NaN or infinity, or all zero, have no
    direction and are passed over. Raises `InputError` if the widths differ.
    """
    stored.check_width(queries.shape[1])
    queries = np.ascontiguousarray(unit(queries.astype(np.float32)).T)  # (width, Q)
    best = [_Best(k) for _ in range(queries.shape[1])]
    # Norms take longer to compute than the product itself. If the metadata says that they are 1,
    # they are computed only for vectors that can be among the best.
    is_normalized = bool(stored.about.get("normalized")) and stored.dtype == np.float32
    for first, vectors in stored.chunks():
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            products = vectors @ queries
            norms = None if is_normalized else _norms(vectors)[:, 0]
            for column, kept in enumerate(best):
                scores = products[:, column]
                if norms is None:
                    indices = np.flatnonzero(scores > kept.floor_among(scores) - _SLACK)
                    scores = scores[indices] / _norms(vectors[indices])[:, 0]
                else:
                    indices = np.arange(len(vectors))
                    scores = scores / norms
                kept.offer(first + indices, rounded(scores))
    return [kept.hits() for kept in best]


class _Best:
    """The `k` best of a stream of scores."""

    def __init__(self, k: int) -> None:
        self._k = k
        self._indices = np.empty(0, dtype=np.int64)
        self._scores = np.empty(0, dtype=np.float32)

    @property
    def floor(self) -> float:
        """The score to beat."""
        return float(self._scores[-1]) if len(self._scores) == self._k else -np.inf

    def floor_among(self, scores: Array) -> float:
        """Return the score to beat once `scores` are taken in."""
        if len(scores) < self._k:
            return self.floor
        # A product of 0 may be that of a vector of zeros, which does not count.
        scores = np.where(scores == 0, -np.inf, np.nan_to_num(scores, nan=-np.inf))
        ordered = np.partition(scores, len(scores) - self._k)
        return max(self.floor, float(ordered[-self._k]))

    def offer(self, indices: Array, scores: Array) -> None:
        """Take in the scores of the vectors at `indices`, which ascend."""
        better = np.flatnonzero(scores > self.floor)  # never true of NaN
        if not len(better):
            return
        indices = np.concatenate([self._indices, indices[better]])
        merged = np.concatenate([self._scores, scores[better]])
        if len(merged) > 4 * self._k:
            # The k-th best score and all equal to it: the order below decides among them.
            cut = np.partition(merged, len(merged) - self._k)[-self._k]
            indices, merged = indices[merged >= cut], merged[merged >= cut]
        order = np.lexsort((indices, -merged))[: self._k]
        self._indices, self._scores = indices[order], merged[order]

    def hits(self) -> list[Hit]:
        """Return the best, the best first."""
        return list(map(Hit, self._indices.tolist(), self._scores.tolist()))


def near_duplicates(stored: VectorIndex, threshold: float) -> Iterator[Pair]:
    """Yield every pair of vectors whose cosine is at least `threshold`, block by block.

    Vectors with NaN or infinity, or all zero, are in no pair. Time grows with the square of the
    number of vectors, memory does not grow.
    """
    for first, rows in stored.chunks(PAIR_ROWS):
        for second, others in stored.chunks(PAIR_ROWS):
            if second < first:
                continue
            scores = cosines(rows, others)
            near = scores >= threshold
            if second == first:
                near = np.triu(near, k=1)
            for row, column in np.argwhere(near):
                yield Pair(first + int(row), second + int(column), float(scores[row, column]))


def cosines(first: Array, second: Array) -> Array:
    """Return the cosine of every pair of fp32 vectors (N, D) and (M, D) as (N, M)."""
    with np.errstate(invalid="ignore"):
        return rounded(unit(first) @ unit(second).T)


def unit(vectors: Array) -> Array:
    """Return vectors of length 1; one of zeros becomes NaN."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found: Array = vectors / _norms(vectors)
    return found


def _norms(vectors: Array) -> Array:
    """Return the lengths of vectors (N, D) as (N, 1)."""
    norms: Array = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, None]
    return norms


def rounded(scores: Array) -> Array:
    """Round cosines in place to the digits that fp32 sums keep: equal vectors get equal scores."""
    return np.round(scores, _DIGITS, out=scores).clip(-1, 1, out=scores)
