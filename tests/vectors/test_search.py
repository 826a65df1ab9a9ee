from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from distilcli.errors import InputError
from distilcli.vectors import index, search
from distilcli.vectors.index import VectorIndex, open_index
from distilcli.vectors.search import Hit, near_duplicates, nearest

CLOSE = 2e-6  # scores are rounded to six digits
WIDTH = 8
SETTINGS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# Small whole numbers: many vectors are equal, many cosines too.
ELEMENTS = {
    "float32": st.integers(-3, 3),
    "float16": st.integers(-3, 3),
    "int8": st.integers(-3, 3),
    "uint8": st.integers(0, 3),
}


def matrices(dtype: str, least: int = 0, most: int = 40) -> st.SearchStrategy[np.ndarray]:
    columns = 1 if dtype == "uint8" else WIDTH
    shape = st.tuples(st.integers(least, most), st.just(columns))
    return npst.arrays(np.dtype(dtype), shape, elements=ELEMENTS[dtype], fill=st.nothing())


def keep(folder: Path, vectors: np.ndarray) -> VectorIndex:
    np.save(folder / "a.npy", vectors)
    return open_index(str(folder / "a.npy"))


def cosines(vectors: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """By plain numpy, in double precision: (N, Q), NaN where there is none."""
    if vectors.dtype == np.uint8:
        vectors = unpacked(vectors)
    vectors, queries = vectors.astype(float), queries.astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        one = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        other = queries / np.linalg.norm(queries, axis=1, keepdims=True)
        return one @ other.T


def assert_nearest(hits: list[Hit], scores: np.ndarray, k: int) -> None:
    """The `k` best by brute force: ordered by score, of equal ones by number."""
    rounded = np.round(scores, 6)
    order = [n for n in np.lexsort((np.arange(len(scores)), -rounded)) if not np.isnan(scores[n])]
    assert [hit.score for hit in hits] == pytest.approx(list(scores[order[:k]]), abs=CLOSE)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len({hit.index for hit in hits}) == len(hits)
    for hit, following in pairwise(hits):
        assert hit.score > following.score or hit.index < following.index
    for hit in hits:
        assert scores[hit.index] == pytest.approx(hit.score, abs=CLOSE)
    # Nothing clearly better, nor as good and stored before the last, was left out.
    if len(hits) == k:
        left = set(order) - {hit.index for hit in hits}
        assert all(scores[n] <= hits[-1].score + CLOSE for n in left)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ELEMENTS)
@given(data=st.data())
@SETTINGS
def test_nearest_is_what_brute_force_finds(tmp_path: Path, dtype: str, data: st.DataObject) -> None:
    vectors = data.draw(matrices(dtype))
    queries = data.draw(matrices("float32", 1, 3)).astype(np.float32)
    k = data.draw(st.integers(1, 50))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "_CHUNK_BYTES", data.draw(st.integers(1, 200)))
        found = nearest(keep(tmp_path, vectors), queries, k)
    scores = cosines(vectors, queries)
    assert len(found) == len(queries)
    for number, hits in enumerate(found):
        assert len(hits) == min(k, int(np.isfinite(scores[:, number]).sum()))
        assert_nearest(hits, scores[:, number], k)


def test_of_equals_the_first_stored(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(1000, 384)).astype(np.float32)
    same = np.arange(5, 1000, 7)
    vectors[same] = vectors[5] * rng.choice([1, 2, 4], len(same))[:, None]
    for size in (1, 1000, 100_000, 1 << 24):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(index, "_CHUNK_BYTES", size)
            (hits,) = nearest(keep(tmp_path, vectors), vectors[5:6], 30)
        assert hits == [Hit(int(number), 1.0) for number in same[:30]]


@pytest.mark.parametrize("k", [1, 10, 3000])
def test_many_vectors_and_queries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, k: int) -> None:
    monkeypatch.setattr(index, "_CHUNK_BYTES", 5000)
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(2500, WIDTH)).astype(np.float32) * rng.uniform(0.1, 9, (2500, 1))
    queries = rng.normal(size=(4, WIDTH)).astype(np.float32)
    scores = cosines(vectors.astype(np.float32), queries)
    found = nearest(keep(tmp_path, vectors.astype(np.float32)), queries, k)
    for number, hits in enumerate(found):
        assert len(hits) == min(k, 2500)
        assert_nearest(hits, scores[:, number], k)


@pytest.mark.parametrize("about", ["{}", '{"normalized": true}'])
def test_what_has_no_direction_is_passed_over(tmp_path: Path, about: str) -> None:
    vectors = np.eye(4, WIDTH, dtype=np.float32)
    vectors[1], vectors[2, 3], vectors[3, 0] = 0, np.nan, np.inf
    (tmp_path / "a.npy.json").write_text(about)
    kept = keep(tmp_path, vectors)
    query = np.full((1, WIDTH), -1, np.float32)
    (hits,) = nearest(kept, query, 9)
    assert [hit.index for hit in hits] == [0]
    assert list(near_duplicates(kept, -1)) == []
    assert nearest(kept, query * 0, 9) == [[]]


def test_another_width_is_refused(tmp_path: Path) -> None:
    kept = keep(tmp_path, np.ones((3, 5), np.float32))
    with pytest.raises(InputError, match="have 5 dimensions, those of the query 4"):
        nearest(kept, np.ones((1, 4), np.float32), 1)


def pairs_by_hand(vectors: np.ndarray) -> dict[tuple[int, int], float]:
    scores = cosines(vectors, vectors if vectors.dtype != np.uint8 else unpacked(vectors))
    return {
        (one, other): float(scores[one, other])
        for one in range(len(vectors))
        for other in range(one + 1, len(vectors))
    }


def unpacked(vectors: np.ndarray) -> np.ndarray:
    """Signs as numbers; a row of zeros stands for a vector that could not be had."""
    signs = np.unpackbits(vectors, axis=1).astype(np.float32) * 2 - 1
    signs[~vectors.any(axis=1)] = 0
    return signs


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ELEMENTS)
@given(data=st.data(), rows=st.integers(1, 12), threshold=st.floats(-1, 1))
@SETTINGS
def test_near_duplicates_across_blocks(
    tmp_path: Path, dtype: str, data: st.DataObject, rows: int, threshold: float
) -> None:
    vectors = data.draw(matrices(dtype, most=25))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "PAIR_ROWS", rows)
        pairs = list(near_duplicates(keep(tmp_path, vectors), threshold))
    expected = pairs_by_hand(vectors)
    found = {(pair.first, pair.second): pair.score for pair in pairs}
    assert len(found) == len(pairs)
    for pair, score in expected.items():
        if score >= threshold + CLOSE:
            assert pair in found
        if not score >= threshold - CLOSE:  # NaN too
            assert pair not in found
    for pair, score in found.items():
        assert score == pytest.approx(expected[pair], abs=CLOSE)
        assert -1 <= score <= 1


def test_equal_vectors_have_a_cosine_of_one(tmp_path: Path) -> None:
    vectors = np.random.default_rng(2).normal(size=(40, 384)).astype(np.float32)
    vectors[20:] = vectors[:20]
    pairs = list(near_duplicates(keep(tmp_path, vectors), 1))
    assert sorted((p.first, p.second, p.score) for p in pairs) == [
        (n, n + 20, 1.0) for n in range(20)
    ]


def test_one_block_at_a_time_is_looked_at(tmp_path: Path, monkeypatch: Any) -> None:
    sizes: set[int] = set()
    cosine = search.rounded

    def watched(scores: np.ndarray) -> np.ndarray:
        sizes.add(scores.size)
        return cosine(scores)

    monkeypatch.setattr(search, "rounded", watched)
    monkeypatch.setattr(search, "PAIR_ROWS", 10)
    list(near_duplicates(keep(tmp_path, np.ones((95, 4), np.float32)), 2.0))
    assert max(sizes) == 100
