"""Vectors that were stored: a `.npy` or safetensors file, looked at a stretch at a time.

The file is mapped stretch by stretch and let go again, so that memory stays bounded whatever its
size. What stands beside it says how the vectors were made and which rows they are of.
"""

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from distilcli.checkpoint.json_file import read_json
from distilcli.checkpoint.safetensors_header import read_header
from distilcli.errors import InputError, ModelError
from distilcli.vectors.writer import ABOUT_SUFFIX, ROWS_SUFFIX, TENSOR_NAME

Array = np.ndarray[Any, Any]

# As fp32. Mapping costs two milliseconds a stretch, whatever its size: at 64 MB that is a
# twentieth of reading it, at 16 MB a quarter.
_STRETCH_BYTES = 64 << 20
_TYPES = {"F32": "<f4", "F16": "<f2", "I8": "|i1", "U8": "|u1"}
_MATRIX = 2
_HEADS = 1000  # how many lines are looked at for one that is not an error's
_LONGEST_HEADER = 1 << 16  # what numpy itself reads without being told to


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """`count` vectors of `columns` stored numbers each, in `path` from byte `start` on.

    `about` says how they were made; it is empty where nobody says. Vectors of signs have eight
    dimensions in a stored number.
    """

    path: Path
    start: int
    count: int
    columns: int
    dtype: np.dtype[Any]
    about: Mapping[str, Any]

    @property
    def is_binary(self) -> bool:
        """Whether the vectors are signs, eight to a byte."""
        return self.dtype == np.uint8

    @property
    def width(self) -> int:
        """The dimensions of a vector."""
        if not self.is_binary:
            return self.columns
        bits, said = self.columns * 8, self.about.get("dims")
        return said if isinstance(said, int) and bits - 8 < said <= bits else bits

    def stretches(self, rows: int | None = None) -> Iterator[tuple[int, Array]]:
        """Yield the number of a first vector, and with it so many as fp32 (n, width).

        They come in order. The array is the caller's until the next one is asked for.
        """
        rows = rows or max(1, _STRETCH_BYTES // (4 * self.width))
        row_bytes = self.columns * self.dtype.itemsize
        for first in range(0, self.count, rows):
            shape = (min(rows, self.count - first), self.columns)
            mapped = np.memmap(
                self.path, self.dtype, mode="r", offset=self.start + first * row_bytes, shape=shape
            )
            yield first, self._as_floats(mapped)

    def _as_floats(self, mapped: Array) -> Array:
        if self.is_binary:
            signs = np.unpackbits(mapped, axis=1, count=self.width).astype(np.float32) * 2 - 1
            signs[~mapped.any(axis=1)] = 0  # what stands for a vector that could not be had
            return signs
        return mapped.astype(np.float32, copy=False)

    def names(self) -> "VectorNames":
        """Return what names the vectors; see there."""
        return VectorNames(self)


class VectorNames:
    """What names each vector: its id and text, from the file beside them.

    Without such a file a vector's id is its number, from 1. Only where each line begins is kept.
    `columns` are the names that a vector has.
    """

    def __init__(self, stored: VectorIndex) -> None:
        """Raise `InputError` where there are not as many lines as vectors."""
        self._path = Path(f"{stored.path}{ROWS_SUFFIX}")
        self._starts: Array | None = None
        self.columns: tuple[str, ...] = ("id",)
        if not self._path.is_file():
            return
        with self._path.open("rb") as file:
            lengths = np.fromiter(map(len, file), dtype=np.int64)
        if len(lengths) != stored.count:
            raise InputError(
                f"{self._path}: has {len(lengths):,} lines for {stored.count:,} vectors; "
                "embed again"
            )
        self._starts = np.cumsum(lengths) - lengths
        if stored.count:
            heads = map(self.__getitem__, range(min(stored.count, _HEADS)))
            whole = next((named for named in heads if "error" not in named), self[0])
            self.columns = tuple(name for name in whole if name != "error")

    def __getitem__(self, number: int) -> dict[str, Any]:
        if self._starts is None:
            return {"id": number + 1}
        with self._path.open("rb") as file:
            file.seek(self._starts[number])
            line = file.readline()
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise InputError(f"{self._path}, line {number + 1}: is no JSON object; embed again")
        return found


def open_index(name: str) -> VectorIndex:
    """Return the vectors stored in a file; raises `InputError` for what is no such file."""
    path = Path(name)
    if path.suffix not in {".npy", ".safetensors"}:
        raise InputError(f"{name}: stored vectors are .npy or .safetensors files")
    if not path.is_file():
        raise InputError(f"{name}: no such file; make one with distil embed FILES -o {name}")
    try:
        start, shape, dtype = (_npy if path.suffix == ".npy" else _safetensors)(path)
    except ModelError as error:
        raise InputError(str(error)) from None
    except (OSError, ValueError, SyntaxError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{name}: holds no vectors that can be read: {error}") from None
    is_matrix = len(shape) == _MATRIX and all(type(n) is int and n >= 0 for n in shape)
    if not is_matrix or shape[1] == 0 or dtype.str not in _TYPES.values():
        raise InputError(
            f"{name}: holds {dtype} of shape {shape}; vectors are float32, float16, int8 or uint8 "
            "numbers in rows and columns"
        )
    if path.stat().st_size < start + shape[0] * shape[1] * dtype.itemsize:
        raise InputError(f"{name}: is shorter than its header says; embed again")
    count, columns = shape
    return VectorIndex(path, start, count, columns, dtype, _about(path))


def _npy(path: Path) -> tuple[int, tuple[int, ...], np.dtype[Any]]:
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        size = 2 if version == (1, 0) else 4
        length = int.from_bytes(file.read(size), "little")
        if length > _LONGEST_HEADER:
            raise ValueError(f"a header of {length:,} bytes")
        raw = ast.literal_eval(file.read(length).decode("latin-1"))
        if raw["fortran_order"]:
            raise ValueError("its columns come before its rows")
        return file.tell(), tuple(raw["shape"]), np.dtype(raw["descr"])


def _safetensors(path: Path) -> tuple[int, tuple[int, ...], np.dtype[Any]]:
    tensors = read_header(path).tensors
    found = tensors.get(TENSOR_NAME) or next(iter(tensors.values()), None)
    if found is None:
        raise ValueError("it has no tensor")
    if found.dtype not in _TYPES:
        raise ValueError(f"{found.name} is {found.dtype}, not one of {', '.join(_TYPES)}")
    return found.begin, found.shape, np.dtype(_TYPES[found.dtype])


def _about(path: Path) -> Mapping[str, Any]:
    beside = Path(f"{path}{ABOUT_SUFFIX}")
    if not beside.is_file():
        return {}
    raw = read_json(beside, way_out="re-create the index", error=InputError)
    return raw if isinstance(raw, dict) else {}
