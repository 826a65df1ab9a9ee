"""The header of a safetensors file: its tensors with their types, shapes and offsets.

Only the header is read, so a checkpoint of any size is described in milliseconds and without
torch. Every rule of the format is checked, so that readers of the data can rely on the offsets.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from distilcli.checkpoint.json_file import (
    DOWNLOAD_AGAIN,
    LFS_POINTER,
    LFS_PULL,
    read_object,
    shown,
)
from distilcli.errors import ModelError

HEADER_LIMIT = 25_000_000
"""The longest header that is read, in bytes; the format allows 100 MB, a large BERT needs 50 kB."""
_MOST_TENSORS = 100_000
_MOST_DIMENSIONS = 8
_MOST_SHARDS = 1_000
_LARGEST_NUMBER = 2**63 - 1

INDEX_NAME = "model.safetensors.index.json"

DTYPE_BITS = {
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32,
    "I64": 64, "U64": 64, "F64": 64, "C64": 64,
}  # fmt: skip
"""Bits per element of every type the format names."""

_LENGTH_BYTES = 8


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor as its header describes it; `begin` and `end` are bytes from the file's start."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    begin: int
    end: int

    @property
    def numel(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The bytes its elements take in the file."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class CheckpointHeader:
    """All tensors of a checkpoint by name, in the order of their data, and its metadata."""

    tensors: dict[str, TensorInfo]
    metadata: dict[str, str]
    files: tuple[Path, ...]


def read_header(path: Path) -> CheckpointHeader:
    """Read and check the header of one safetensors file.

    Raises `ModelError` if the file is not a complete, well-formed safetensors file.
    """
    if path.suffix == ".bin":
        fault = "is a pickle, which has no header to read"
        _refuse(path, fault, "convert it at https://huggingface.co/spaces/safetensors/convert")
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(_LENGTH_BYTES + len(LFS_POINTER))
            length = _header_length(path, start, size)
            file.seek(_LENGTH_BYTES)
            text = file.read(length)
    except OSError as error:
        _refuse(path, f"cannot be read ({error.strerror})", "check the path and its rights")
    entries = _parse(path, text)
    metadata = _metadata(path, entries.pop("__metadata__", {}))
    data_start = _LENGTH_BYTES + length
    infos = [_tensor(path, name, entry, data_start) for name, entry in entries.items()]
    infos.sort(key=lambda info: (info.begin, info.end))
    _check_layout(path, infos, data_start, size)
    return CheckpointHeader({info.name: info for info in infos}, metadata, (path,))


def read_checkpoint_header(files: Sequence[Path]) -> CheckpointHeader:
    """Read the headers of all files of a checkpoint as one.

    Raises `ModelError` as `read_header` does, and if two files hold a tensor of the same name.
    """
    tensors: dict[str, TensorInfo] = {}
    metadata: dict[str, str] = {}
    for path in files:
        header = read_header(path)
        for name, info in header.tensors.items():
            if name in tensors:
                fault = f"tensor '{name}' is also in {tensors[name].file.name}"
                _refuse(path, fault, "remove the shard that does not belong to the checkpoint")
            tensors[name] = info
        metadata |= header.metadata
    return CheckpointHeader(tensors, metadata, tuple(files))


def read_shard_index(index: Path) -> tuple[Path, ...]:
    """Return the shards named in a `model.safetensors.index.json`, sorted by name.

    They need not exist yet. Raises `ModelError` if the index is malformed or names a file outside
    its folder.
    """
    weight_map = read_object(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        _refuse(index, "has no 'weight_map' from tensor names to files")
    for tensor, shard in weight_map.items():
        if not _is_plain_name(shard):
            fault = f"places tensor {shown(tensor)} in {shown(shard)}"
            fault += ", which is not a file of this folder"
            _refuse(index, fault, "take the checkpoint from a source you trust")
    shards = sorted(set(weight_map.values()))
    if len(shards) > _MOST_SHARDS:
        _refuse(index, f"names {len(shards):,} files", "use another checkpoint")
    return tuple(index.parent / shard for shard in shards)


def _refuse(path: Path, fault: str, way_out: str = DOWNLOAD_AGAIN) -> NoReturn:
    raise ModelError(f"{path}: {fault}; {way_out}")


def _is_plain_name(name: object) -> bool:
    if not isinstance(name, str) or name in {"", ".", ".."}:
        return False
    return not any(mark in name for mark in "/\\:\0")


def _header_length(path: Path, start: bytes, size: int) -> int:
    if start.startswith(LFS_POINTER):
        _refuse(path, "is a git-lfs pointer, not the weights", LFS_PULL)
    if size == 0:
        _refuse(path, "is empty (an unfinished download)")
    if size < _LENGTH_BYTES:
        _refuse(path, f"ends after {size} bytes, inside the header's length")
    length = int.from_bytes(start[:_LENGTH_BYTES], "little")
    brace = start[_LENGTH_BYTES : _LENGTH_BYTES + 1]
    if length > HEADER_LIMIT:
        fault = f"asks for a header of {length:,} bytes where at most {HEADER_LIMIT:,} are read"
        _refuse(path, fault, f"it is not a safetensors file or is damaged: {DOWNLOAD_AGAIN}")
    if length > size - _LENGTH_BYTES:
        fault = f"is cut short: the header needs {length:,} bytes, the file has {size:,}"
        _refuse(path, fault)
    if brace != b"{":
        _refuse(path, "is not a safetensors file (no JSON header)")
    return length


def _parse(path: Path, text: bytes) -> dict[str, object]:
    def unique(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, value in pairs:
            if key in found:
                _refuse(path, f"names {key!a} twice in its header")
            found[key] = value
        return found

    # An entry has three brackets; parsed, a bracket takes twenty times its size.
    if text.count(b"{") + text.count(b"[") > 3 * _MOST_TENSORS:
        _refuse(path, f"describes more than {_MOST_TENSORS:,} tensors", "use another checkpoint")
    try:
        entries = json.loads(text.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        _refuse(path, f"has a header that is not JSON ({error})")
    # The text begins with a brace, so it is an object.
    return dict(entries)


def _metadata(path: Path, found: object) -> dict[str, str]:
    if isinstance(found, dict) and all(isinstance(value, str) for value in found.values()):
        return found
    _refuse(path, "has '__metadata__' that is not a map from text to text")


def _tensor(path: Path, name: str, entry: object, data_start: int) -> TensorInfo:
    def numbers(key: str) -> tuple[int, ...]:
        values = entry.get(key) if isinstance(entry, dict) else None
        # type(), not isinstance(): true and false are not sizes.
        if not isinstance(values, list) or not all(
            type(number) is int and 0 <= number <= _LARGEST_NUMBER for number in values
        ):
            _refuse(path, f"describes tensor '{name}' without whole numbers as '{key}'")
        if len(values) > _MOST_DIMENSIONS:
            _refuse(path, f"gives tensor '{name}' {len(values):,} numbers as '{key}'")
        return tuple(values)

    # Names are printed: no control characters.
    if not name.isprintable():
        _refuse(path, f"has a tensor name that cannot be printed: {name!a}")
    shape, offsets = numbers("shape"), numbers("data_offsets")
    dtype = entry.get("dtype") if isinstance(entry, dict) else None
    if not isinstance(dtype, str) or dtype not in DTYPE_BITS:
        _refuse(
            path, f"stores tensor '{name}' as {shown(dtype)}, an unknown type", "convert it to F32"
        )
    if len(offsets) != len(("begin", "end")):
        _refuse(path, f"gives tensor '{name}' {len(offsets)} offsets instead of 2")
    begin, end = offsets
    if math.prod(shape) * DTYPE_BITS[dtype] != (end - begin) * 8:
        wanted = f"{dtype} of shape {list(shape)}"
        _refuse(path, f"gives tensor '{name}' {end - begin:,} bytes for {wanted}")
    return TensorInfo(name, dtype, shape, path, data_start + begin, data_start + end)


def _check_layout(path: Path, infos: Sequence[TensorInfo], data_start: int, size: int) -> None:
    """Refuse data with a hole, an overlap or anything after it."""
    reached = data_start
    for info in infos:
        if info.begin != reached:
            kind = "overlaps the tensor before it" if info.begin < reached else "follows a hole"
            _refuse(path, f"has data out of order: tensor '{info.name}' {kind}")
        reached = info.end
    if size < reached:
        fault = f"is cut short: {size:,} of {reached:,} bytes are there"
        _refuse(path, fault, f"the download did not finish: {DOWNLOAD_AGAIN}")
    if size > reached:
        _refuse(path, f"has {size - reached:,} bytes after its last tensor")
