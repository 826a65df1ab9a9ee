"""An index of vectors: a `.npy` or safetensors file, or an array in memory, read in chunks.

A file is mapped one chunk at a time, so that memory stays bounded whatever its size. Its metadata
(`.json`) says how the vectors were made, and its rows (`.rows.jsonl`) what they are of.
"""

import ast
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from distilcli.checkpoint.safetensors_header import read_header
from distilcli.errors import InputError, ModelError
from distilcli.rows.jsonl import DECODER
from distilcli.vectors.writer import METADATA_SUFFIX, ROWS_SUFFIX, TENSOR_NAME

Array = np.ndarray[Any, Any]

# Of fp32. Mapping takes two milliseconds a chunk, whatever its size: at 64 MB that is a twentieth
# of reading it, at 16 MB a quarter.
_CHUNK_BYTES = 64 << 20
_TYPES = {"F32": "<f4", "F16": "<f2", "I8": "|i1", "U8": "|u1"}
_MATRIX = 2
_MAX_HEADS = 1000  # lines to look at for one that is not an error's
_MAX_HEADER = 1 << 16  # numpy's own limit


@dataclass(frozen=True, kw_only=True, slots=True)
class VectorIndex:
    """`count` vectors of `columns` stored numbers each; `read` gives those from one row to another.

    `path` is None for an array in memory. `about` says how the vectors were made; it is empty if
    that is not known. Binary vectors have eight dimensions in a stored number.
    """

    path: Path | None
    count: int
    columns: int
    dtype: np.dtype[Any]
    about: Mapping[str, Any]
    read: Callable[[int, int], Array]

    @property
    def is_binary(self) -> bool:
        """Whether the vectors are signs, eight to a byte."""
        return self.dtype == np.uint8

    @property
    def width(self) -> int:
        """The dimensions of a vector."""
        if not self.is_binary:
            return self.columns
        bits, dims = self.columns * 8, self.about.get("dims")
        return dims if isinstance(dims, int) and bits - 8 < dims <= bits else bits

    def chunks(self, rows: int | None = None) -> Iterator[tuple[int, Array]]:
        """Yield chunks as fp32 (n, width), in order, each with the index of its first vector.

        An array is valid until the next one is asked for.
        """
        rows = rows or max(1, _CHUNK_BYTES // (4 * self.width))
        for first in range(0, self.count, rows):
            yield first, self._floats(self.read(first, min(first + rows, self.count)))

    def _floats(self, stored: Array) -> Array:
        if self.is_binary:
            signs = np.unpackbits(stored, axis=1, count=self.width).astype(np.float32) * 2 - 1
            signs[~stored.any(axis=1)] = 0  # the blank of a row that failed
            return signs
        return stored.astype(np.float32, copy=False)

    def check_width(self, width: int) -> None:
        """Raise `InputError` for vectors that cannot be compared with these."""
        if width != self.width:
            raise InputError(
                f"{self.path or 'the array'}: its vectors have {self.width} dimensions, those of "
                f"the query {width}; search with the model that made them"
            )

    def names(self) -> "VectorNames":
        """Return what names the vectors."""
        return VectorNames(self)

    def damaged(self) -> InputError:
        """Return the error for metadata that cannot be used."""
        return InputError(
            f"{self.path}{METADATA_SUFFIX} (metadata of the index) is damaged; "
            "re-create the index with `distil embed`"
        )


class VectorNames:
    """The id and text of each vector, from the rows file of an index; `columns` are their names.

    Without that file the id of a vector is its number, from 1. Only the offset of each line is
    kept in memory.
    """

    def __init__(self, stored: VectorIndex) -> None:
        """Raise `InputError` if the rows file does not have a line per vector."""
        self._path = Path(f"{stored.path}{ROWS_SUFFIX}")
        self._offsets: Array | None = None
        self.columns: tuple[str, ...] = ("id",)
        if stored.path is None or not self._path.is_file():
            return
        with self._path.open("rb") as file:
            lengths = np.fromiter(map(len, file), dtype=np.int64)
        # The rows of an update get their name before its vectors do.
        appended = len(lengths) > stored.count and stored.about.get("vectors") == len(lengths)
        if len(lengths) != stored.count and not appended:
            raise InputError(
                f"{self._path}: has {len(lengths):,} lines for {stored.count:,} vectors; "
                "embed again"
            )
        self._offsets = (np.cumsum(lengths) - lengths)[: stored.count]
        if stored.count:
            heads = map(self.__getitem__, range(min(stored.count, _MAX_HEADS)))
            whole = next((named for named in heads if "error" not in named), self[0])
            self.columns = tuple(name for name in whole if name != "error")

    def __getitem__(self, index: int) -> dict[str, Any]:
        if self._offsets is None:
            return {"id": index + 1}
        with self._path.open("rb") as file:
            file.seek(self._offsets[index])
            return self._parsed(file.readline(), index, json.loads)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield what names each vector, in order; numbers keep their spelling."""
        if self._offsets is None:
            return
        with self._path.open("rb") as file:
            for index, line in zip(range(len(self._offsets)), file, strict=False):
                yield self._parsed(line, index, DECODER.decode)

    def _parsed(self, line: bytes, index: int, decode: Callable[[str], object]) -> dict[str, Any]:
        try:
            found = decode(line.decode())
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise InputError(f"{self._path}, line {index + 1}: is not a JSON object; embed again")
        return found


def index_of(vectors: Array, *, dims: int | None = None) -> VectorIndex:
    """Return the index of an array (N, D); `dims` are the dimensions of binary vectors.

    Raises `InputError` for an array that does not hold vectors.
    """
    if vectors.dtype == np.float64:
        vectors = vectors.astype(np.float32)
    count, columns = _checked_shape("the array", vectors.shape, vectors.dtype)
    return VectorIndex(
        path=None,
        count=count,
        columns=columns,
        dtype=vectors.dtype,
        about={"dims": dims},
        read=lambda first, stop: vectors[first:stop],
    )


def open_index(name: str | Path) -> VectorIndex:
    """Return the index in a file; raises `InputError` for a file that does not hold vectors."""
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
    count, columns = _checked_shape(f"{name}", shape, dtype)
    if path.stat().st_size < start + count * columns * dtype.itemsize:
        raise InputError(f"{name}: is shorter than its header says; embed again")
    index = VectorIndex(
        path=path,
        count=count,
        columns=columns,
        dtype=dtype,
        about={},
        read=partial(mapped, path, dtype, start, columns),
    )
    return replace(index, about=_metadata(index))


def _checked_shape(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[int, int]:
    is_matrix = len(shape) == _MATRIX and all(type(n) is int and n >= 0 for n in shape)
    if not is_matrix or shape[1] == 0 or dtype.str not in _TYPES.values():
        raise InputError(
            f"{name}: holds {dtype} of shape {shape}; vectors are float32, float16, int8 or uint8 "
            "numbers in rows and columns"
        )
    return shape[0], shape[1]


def mapped(
    path: Path, dtype: np.dtype[Any], start: int, columns: int, first: int, stop: int
) -> Array:
    """Return the vectors from `first` to `stop` in a file, where they begin at byte `start`."""
    offset = start + first * columns * dtype.itemsize
    return np.memmap(path, dtype, mode="r", offset=offset, shape=(stop - first, columns))


def _npy(path: Path) -> tuple[int, tuple[int, ...], np.dtype[Any]]:
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        size = 2 if version == (1, 0) else 4
        length = int.from_bytes(file.read(size), "little")
        if length > _MAX_HEADER:
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


def _metadata(index: VectorIndex) -> Mapping[str, Any]:
    path = Path(f"{index.path}{METADATA_SUFFIX}")
    if not path.is_file():
        return {}
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise index.damaged() from None
    return raw if isinstance(raw, dict) else {}
