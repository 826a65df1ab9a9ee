"""Exact search in stored vectors: the nearest to a query, and pairs that are nearly the same.

Nearness is the cosine. Every vector is looked at, a stretch of the file at a time, by a thread
per core; nothing is approximated and nothing but the best is kept.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from distilcli.errors import InputError
from distilcli.tasks.settings import available_cores
from distilcli.tasks.stored import Array, StoredVectors

_PAIR_ROWS = 2048  # rows a side of a block of pairs: 16 MB of scores
_DIGITS = 6


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


def nearest(stored: StoredVectors, queries: Array, k: int) -> list[list[Hit]]:
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

    def score(stretch: tuple[int, Array]) -> tuple[int, Array]:
        first, vectors = stretch
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            scores = vectors @ queries / _norms(vectors)
        return first, _tidy(scores)

    for first, scores in _side_by_side(score, stored):
        for column, kept in enumerate(best):
            kept.offer(first, scores[:, column])
    return [kept.hits() for kept in best]


class _Best:
    """The `k` best scores of a stream of them."""

    def __init__(self, k: int) -> None:
        self._k = k
        self._numbers = np.empty(0, dtype=np.int64)
        self._scores = np.empty(0, dtype=np.float32)

    def offer(self, first: int, scores: Array) -> None:
        """Take in the scores of vectors from number `first` on."""
        floor = self._scores[-1] if len(self._scores) == self._k else -np.inf
        places = np.flatnonzero(scores > floor)  # never true of NaN
        if not len(places):
            return
        numbers = np.concatenate([self._numbers, first + places])
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


def near_duplicates(stored: StoredVectors, threshold: float) -> Iterator[Pair]:
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


def _side_by_side(function: Any, stored: StoredVectors) -> Iterator[tuple[int, Array]]:
    """Apply a function to stretches on every core, and yield its results in order."""
    cores = available_cores()
    with ThreadPoolExecutor(cores) as pool:
        waiting = []
        for stretch in stored.stretches():
            waiting.append(pool.submit(function, stretch))
            if len(waiting) > cores:
                yield waiting.pop(0).result()
        for each in waiting:
            yield each.result()
