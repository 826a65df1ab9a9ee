import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from distilcli.tasks.embed import (
    EmbeddingColumns,
    Finish,
    TokenEmbeddingColumns,
    TokenEmbeddings,
    quantized,
)

VECTORS = npst.arrays(np.float32, (3, 11), elements=st.floats(-100, 100, width=32))


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    one, other = one.astype(np.float64), other.astype(np.float64)
    return (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


@given(VECTORS)
def test_signs_are_packed_as_numpy_does(vectors: np.ndarray) -> None:
    found = quantized(torch.from_numpy(vectors), "binary")
    assert found.dtype == np.uint8
    assert np.array_equal(found, np.packbits(vectors > 0, axis=1))


def test_eight_bits_keep_the_direction() -> None:
    vectors = torch.randn(50, 64, generator=torch.Generator().manual_seed(0)) * 3
    found = quantized(vectors, "int8")
    assert found.dtype == np.int8
    assert np.abs(found).max(axis=1).tolist() == [127] * 50
    assert cosines(found, vectors.numpy()).min() > 0.99
    assert not quantized(torch.zeros(1, 4), "int8").any()


def test_half_precision() -> None:
    vectors = torch.randn(5, 8)
    found = quantized(vectors, "float16")
    assert found.dtype == np.float16
    assert np.array_equal(found, vectors.numpy().astype(np.float16))


def test_first_dimensions_then_unit_length_then_dtype() -> None:
    vector = torch.tensor([3.0, 4.0, 12.0])
    assert Finish(dims=2)(vector).tolist() == [3, 4]
    assert Finish(dims=2, normalizes=True)(vector).tolist() == pytest.approx([0.6, 0.8])
    assert Finish(normalizes=True)(torch.zeros(2)).tolist() == [0, 0]
    doubled = Finish(steps=(lambda x: 2 * x, lambda x: x + 1), dims=2)
    assert doubled(vector).tolist() == [7, 9]
    assert Finish(dims=2, normalizes=True, dtype="int8")(vector).tolist() == [95, 127]


@given(npst.arrays(np.float32, 6, elements=st.floats(-(2.0**100), 2.0**100, width=32)))
def test_a_json_list_gives_back_every_number(vector: np.ndarray) -> None:
    (text,) = EmbeddingColumns("json").values(vector)
    assert np.array_equal(np.array(json.loads(str(text)), dtype=np.float32), vector)


@pytest.mark.parametrize("dtype", ["float16", "int8", "uint8"])
def test_a_json_list_of_other_numbers(dtype: str) -> None:
    vector = np.array([0, 1, 7, 100], dtype) / np.array(3 if dtype == "float16" else 1, dtype)
    vector = vector.astype(dtype)
    (text,) = EmbeddingColumns("json").values(vector)
    assert np.array_equal(np.array(json.loads(str(text))).astype(dtype), vector)
    assert ("." in str(text)) == (dtype == "float16")


def test_what_people_see_is_short() -> None:
    columns = EmbeddingColumns("glance")
    vector = np.array([0.123, -0.456, 1 / 3, *[0.5] * 381], np.float32)
    assert columns.values(vector) == ["[0.12, -0.46, 0.33, … 384]"]
    assert columns.values(np.array([1, -2], np.int8)) == ["[1, -2]"]
    assert columns.counted(vector) == []


def test_columns_of_tokens() -> None:
    vectors = np.array([[1, 2.5], [3, math.pi]], np.float32)
    value = TokenEmbeddings(["a", "##b"], [(0, 1), (1, 2)], vectors)
    assert TokenEmbeddingColumns("glance").values(value)[2] == "2 x 2"
    assert TokenEmbeddingColumns("array").values(value)[2] is vectors
    tokens, offsets, text = TokenEmbeddingColumns("json").values(value)
    assert (tokens, offsets) == (["a", "##b"], [(0, 1), (1, 2)])
    assert np.array_equal(np.array(json.loads(str(text)), np.float32), vectors)
    assert TokenEmbeddingColumns("json").counted(value) == []
