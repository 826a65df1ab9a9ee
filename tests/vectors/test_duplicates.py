from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilcli.errors import InputError
from distilcli.rows.outcome import Outcome
from distilcli.rows.row import Row
from distilcli.vectors import duplicates
from distilcli.vectors.duplicates import DroppedColumns, Duplicates, Place
from distilcli.vectors.index import VectorIndex, index_of, open_index
from distilcli.vectors.search import cosines

CLOSE = 3e-6  # scores are rounded to six digits


class Dropped(list[tuple[Row, dict[str, object]]]):
    """A sink that keeps what it gets."""

    write_rows = list.extend


def rows_of(vectors: np.ndarray) -> list[Outcome[Row, np.ndarray]]:
    return [
        Outcome(Row(("n",), [str(n)], "a.csv", n), value=vector)
        for n, vector in enumerate(vectors.astype(np.float32))
    ]


def split(
    blocks: Iterator[list[Outcome[Row, np.ndarray]]] | list[list[Outcome[Row, np.ndarray]]],
    threshold: float,
    *,
    stored: VectorIndex | None = None,
    width: int = 2,
) -> tuple[list[Outcome[Row, Place]], Dropped]:
    """The rows that are kept, and those that are dropped with their new columns."""
    sink = Dropped()
    columns = DroppedColumns(stored=stored)
    with Duplicates(threshold, width=width, stored=stored, sink=sink, columns=columns) as found:
        kept = [row for block in found.without(iter(blocks)) for row in block]
        assert found.facts == {"kept": len(kept), "dropped": len(sink)}
    return kept, sink


VECTORS = np.array([[1, 0], [0, 1], [2, 0.02], [1, 1], [0, 3], [0.9, 1]])


@pytest.mark.parametrize("size", [1, 2, 6])
@pytest.mark.parametrize("pair_rows", [1, 2048])
def test_the_first_of_a_group_is_kept(
    monkeypatch: pytest.MonkeyPatch, size: int, pair_rows: int
) -> None:
    monkeypatch.setattr(duplicates, "PAIR_ROWS", pair_rows)
    rows = rows_of(VECTORS)
    blocks = [rows[first : first + size] for first in range(0, len(rows), size)]
    kept, dropped = split(blocks, 0.99)
    assert [(row.item.line, row.value) for row in kept] == [
        (0, Place(1)), (1, Place(2)), (3, Place(3)),
    ]  # fmt: skip
    assert [(row.line, added["group"]) for row, added in dropped] == [(2, 1), (4, 2), (5, 3)]
    scores = [added["score"] for _, added in dropped]
    assert scores == pytest.approx([0.99995, 1, 0.998618], abs=1e-6)


def test_rows_near_an_index_are_dropped_with_its_ids(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.array([[0, 1], [1, 0.001]], np.float32))
    Path(f"{path}.rows.jsonl").write_text('{"id": "p"}\n{"id": "q"}\n')
    kept, dropped = split([rows_of(VECTORS)], 0.99, stored=open_index(path))
    assert [row.item.line for row in kept] == [3]
    assert [(row.line, added["group"], added["index_id"]) for row, added in dropped] == [
        (0, None, "q"), (1, None, "p"), (2, None, "q"), (4, None, "p"), (5, 1, None),
    ]  # fmt: skip
    with pytest.raises(InputError, match="2 dimensions, those of the query 3"):
        split([], 0.9, stored=open_index(path), width=3)


def test_rows_without_a_vector_are_kept() -> None:
    rows = [*rows_of(np.array([[1, 0], [0, 0], [np.nan, 1], [0, 0]])), Outcome(Row((), [], "", 9))]
    rows[-1].error = "faulty"
    rows[0].truncated = True
    kept, dropped = split([rows], -1)
    assert [row.item.line for row in kept] == [0, 1, 2, 3, 9]
    assert (kept[-1].value, kept[-1].error, kept[0].truncated) == (None, "faulty", True)
    assert dropped == []


def test_no_rows_and_no_sink() -> None:
    assert split([], 0.9) == ([], [])
    columns = DroppedColumns(stored=None)
    with Duplicates(0.9, width=2, stored=None, sink=None, columns=columns) as found:
        (block,) = found.without([rows_of(VECTORS)])
    assert (len(block), found.facts["dropped"]) == (3, 3)


@given(st.data(), st.floats(-0.9, 1), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_no_kept_rows_are_near_and_every_dropped_one_is(
    data: st.DataObject, threshold: float, size: int
) -> None:
    numbers = st.lists(st.integers(-3, 3), min_size=3, max_size=3)
    vectors = np.array(data.draw(st.lists(numbers, min_size=1, max_size=20)), np.float32)
    rows = rows_of(vectors)
    kept, dropped = split(
        [rows[n : n + size] for n in range(0, len(rows), size)], threshold, width=3
    )
    places = [row.item.line for row in kept]
    assert sorted(places + [row.line for row, _ in dropped]) == list(range(len(rows)))
    among = np.nan_to_num(cosines(vectors[places], vectors[places]), nan=-2)
    assert (among[~np.eye(len(places), dtype=bool)] < threshold + CLOSE).all()
    for row, added in dropped:
        group = added["group"]
        assert isinstance(group, int)
        (cosine,) = cosines(vectors[[row.line]], vectors[[places[group - 1]]])[0]
        assert cosine >= threshold - CLOSE
        assert added["score"] == pytest.approx(cosine, abs=CLOSE)


def test_an_index_in_memory_numbers_its_ids() -> None:
    stored = index_of(np.array([[1, 0], [0, 1]], np.float32))
    _, dropped = split([rows_of(VECTORS[1:2])], 0.9, stored=stored)
    assert [added["index_id"] for _, added in dropped] == [2]
