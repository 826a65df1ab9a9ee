"""Drop rows that are nearly the same as an earlier row, or as one of an index.

A row is kept if its cosine with every row kept so far is below the threshold. So no two kept rows
are near duplicates, and every dropped row is one of a kept row, whose group it joins.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from distilcli.interrupt import undo_at_sudden_end
from distilcli.rows.outcome import Outcome, Sink, with_additions
from distilcli.rows.row import Row
from distilcli.vectors.index import Array, VectorIndex, index_of, mapped
from distilcli.vectors.search import PAIR_ROWS, rounded, unit

_NEVER = np.float32(-2)


class Place(NamedTuple):
    """Where a row belongs: its group, from 1, or the vector of the index that it is near.

    A dropped row has the `score` that it was dropped for.
    """

    group: int | None = None
    score: float | None = None
    stored: int | None = None


class KeptColumns:
    """The column of a row that is kept."""

    names = ("group",)

    def values(self, place: Place) -> list[object]:
        """Return the group."""
        return [place.group]

    def counted(self, place: Place) -> Sequence[str]:  # noqa: ARG002 - a protocol's name
        """Count nothing: there are no labels."""
        return ()


class DroppedColumns:
    """The columns of a row that is dropped: its group, its cosine, and the id in an index."""

    def __init__(self, *, stored: VectorIndex | None) -> None:
        self._ids = None if stored is None else stored.names()

    @property
    def names(self) -> list[str]:
        """The new columns, in order."""
        return ["group", "score", *(["index_id"] if self._ids else [])]

    def values(self, place: Place) -> list[object]:
        """Return what goes into them for one row."""
        found: list[object] = [place.group, place.score]
        if self._ids is not None:
            found.append(None if place.stored is None else self._ids[place.stored].get("id"))
        return found


class Duplicates:
    """Passes on rows that are not near duplicates of others, and writes those that are to `sink`.

    A context manager: the vectors of kept rows (`width`) are in a temporary file, so that memory
    stays bounded; time grows with their number times that of all rows. `facts` counts rows.
    """

    def __init__(
        self,
        threshold: float,
        *,
        width: int,
        stored: VectorIndex | None,
        sink: Sink | None,
        columns: DroppedColumns,
    ) -> None:
        """Raise `InputError` if the vectors of the index have another width."""
        if stored is not None:
            stored.check_width(width)
        self._threshold = threshold
        self._stored = stored
        self._sink = sink
        self._columns = columns
        self._kept = 0
        self._file = tempfile.NamedTemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._undo = undo_at_sudden_end(partial(Path(self._file.name).unlink, missing_ok=True))
        read = partial(mapped, Path(self._file.name), np.dtype("<f4"), 0, width)
        self._index = replace(index_of(np.empty((0, width), np.float32)), read=read)
        self.facts = {"kept": 0, "dropped": 0}

    def __enter__(self) -> "Duplicates":
        return self

    def __exit__(self, *raised: object) -> None:
        self._file.close()
        self._undo.close()

    def without(
        self, blocks: Iterable[list[Outcome[Row, Array]]]
    ) -> Iterator[list[Outcome[Row, Place]]]:
        """Yield the rows of each block that are kept; those that failed are."""
        dropped = kept = 0
        for block in blocks:
            vectors = [outcome.value for outcome in block if outcome.value is not None]
            places = iter(self._places(vectors))
            placed = [
                Outcome(
                    outcome.item,
                    value=None if outcome.value is None else next(places),
                    error=outcome.error,
                    truncated=outcome.truncated,
                )
                for outcome in block
            ]
            out = [
                each for each in placed if each.value is not None and each.value.score is not None
            ]
            rest = [each for each in placed if each.value is None or each.value.score is None]
            dropped, kept = dropped + len(out), kept + len(rest)
            self.facts |= {"kept": kept, "dropped": dropped}
            if self._sink is not None:
                self._sink.write_rows(
                    with_additions(out, self._columns.names, self._columns.values)
                )
            yield rest

    def _places(self, vectors: Sequence[Array]) -> Iterator[Place]:
        for first in range(0, len(vectors), PAIR_ROWS):
            yield from self._places_of(np.stack(vectors[first : first + PAIR_ROWS]))

    def _places_of(self, vectors: Array) -> list[Place]:
        units = _unit_or_zero(vectors)
        stored_scores, stored_rows = _nearest(units, _units_of(self._stored))
        kept = replace(self._index, count=self._kept).chunks(PAIR_ROWS)
        scores, groups = _nearest(units, kept)
        among = _rounded(_products(units, units))
        places: list[Place] = []
        new = np.empty(len(vectors), np.int64)  # the rows of these that are kept
        count = 0
        for row in range(len(vectors)):
            if count:
                nearest = int(among[row, new[:count]].argmax())
                if among[row, new[nearest]] > scores[row]:
                    scores[row], groups[row] = among[row, new[nearest]], self._kept + nearest
            score = float(scores[row])
            if max(score, stored_scores[row]) < self._threshold:
                new[count] = row
                count += 1
                places.append(Place(self._kept + count))
            elif score >= stored_scores[row]:
                places.append(Place(int(groups[row]) + 1, score))
            else:
                places.append(Place(None, float(stored_scores[row]), stored=int(stored_rows[row])))
        self._file.write(units[new[:count]].astype("<f4").tobytes())
        self._file.flush()
        self._kept += count
        return places


def _units_of(index: VectorIndex | None) -> Iterator[tuple[int, Array]]:
    """Yield the vectors of an index in chunks, scaled to length 1."""
    for first, vectors in index.chunks(PAIR_ROWS) if index is not None else ():
        yield first, _unit_or_zero(vectors)


def _unit_or_zero(vectors: Array) -> Array:
    """Return vectors of length 1; those without a direction become zeros."""
    return np.nan_to_num(unit(vectors), nan=0, posinf=0, neginf=0)


def _products(units: Array, others: Array) -> Array:
    """Return the cosines (N, M) of units (N, D) and (M, D); of zeros they are never near."""
    products: Array = units @ others.T
    for rows, vectors in ((products, units), (products.T, others)):
        if (without := ~vectors.any(axis=1)).any():
            rows[without] = _NEVER
    return products


def _nearest(units: Array, chunks: Iterable[tuple[int, Array]]) -> tuple[Array, Array]:
    """Return the highest cosine of each unit (N, D) with those in chunks, and which it is."""
    best = np.full(len(units), _NEVER, np.float32)
    which = np.zeros(len(units), np.int64)
    for first, others in chunks:
        products = _products(units, others)
        nearest = products.argmax(axis=1)
        highest = products[np.arange(len(units)), nearest]
        better = highest > best
        best[better], which[better] = highest[better], first + nearest[better]
    return _rounded(best), which


def _rounded(scores: Array) -> Array:
    """Round cosines, in place, except those of zeros."""
    is_never = scores == _NEVER
    return np.where(is_never, _NEVER, rounded(scores))
