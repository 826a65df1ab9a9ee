import struct
from pathlib import Path

import numpy as np
import pytest

from distilcli.checkpoint import finite
from distilcli.checkpoint.finite import count_not_finite
from distilcli.checkpoint.safetensors_header import DTYPE_BITS, read_header
from tests.checkpoint._files import write_safetensors

INFINITE = {
    "F16": b"\x00\x7c",
    "BF16": b"\x80\xff",
    "F32": struct.pack("<f", float("nan")),
    "F64": struct.pack("<d", float("-inf")),
    "F8_E5M2": b"\x7c",
    "F8_E4M3": b"\xff",
}
LARGEST = {
    "F16": np.float16(65504).tobytes(),
    "BF16": b"\x7f\x7f",
    "F32": np.finfo(np.float32).max.tobytes(),
    "F64": np.finfo(np.float64).min.tobytes(),
    "F8_E5M2": b"\x7b",
    "F8_E4M3": b"\x7e",
}


def _file(folder: Path, dtype: str, values: bytes) -> Path:
    count = len(values) * 8 // DTYPE_BITS[dtype]
    path = write_safetensors(folder / "m.safetensors", {"a": (dtype, (count,)), "b": ("F32", (2,))})
    info = read_header(path).tensors["a"]
    with path.open("r+b") as file:
        file.seek(info.begin)
        file.write(values)
    return path


@pytest.mark.parametrize("dtype", INFINITE)
def test_every_type_of_number(tmp_path: Path, dtype: str) -> None:
    assert _count(_file(tmp_path, dtype, LARGEST[dtype] * 3)) == (0, 0)
    path = _file(tmp_path, dtype, LARGEST[dtype] + INFINITE[dtype] * 2)
    expected = (2, 0) if dtype in {"F32", "F8_E4M3"} else (0, 2)
    assert _count(path) == expected


def test_whole_numbers_are_always_finite(tmp_path: Path) -> None:
    assert _count(_file(tmp_path, "I8", b"\x7f\xff\x7c")) == (0, 0)


def test_a_tensor_longer_than_one_stretch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finite, "_CHUNK", 8)
    infinite = struct.pack("<f", float("-inf"))
    values = LARGEST["F32"] * 6 + INFINITE["F32"] + infinite * 2
    assert _count(_file(tmp_path, "F32", values)) == (1, 2)


def _count(path: Path) -> tuple[int, int]:
    return count_not_finite(read_header(path).tensors["a"])
