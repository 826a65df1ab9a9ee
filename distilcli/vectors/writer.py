"""Write vectors to files that numpy and safetensors read: the header first, then row after row.

The number of vectors is not known when the header is written, so the header has room for any
number and is rewritten at the end. With `vectors.npy` come `vectors.npy.rows.jsonl`, a line with
the id and text of each vector, and `vectors.npy.json`, metadata that says how they were made.
"""

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from distilcli.errors import UsageError
from distilcli.rows.file_output import FileOutput, take_back
from distilcli.rows.formats import split_suffixes
from distilcli.rows.jsonl import object_text
from distilcli.rows.output import State, WholeOrNothing, check_destination
from distilcli.rows.row import Row, cell_value
from distilcli.rows.row_writer import Block

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from distilcli.vectors.index import VectorIndex

ROWS_SUFFIX = ".rows.jsonl"
METADATA_SUFFIX = ".json"

_COPIED_ROWS = 4096
_NPY_HEADER = 128  # a multiple of 64, with room for 20 digits of rows
_SAFETENSORS_HEADER = 512
TENSOR_NAME = "embeddings"
_SAFETENSORS_TYPES = {"<f4": "F32", "<f2": "F16", "|i1": "I8", "|u1": "U8"}


def _npy_header(count: int, width: int, descr: str) -> bytes:
    """Return the first 128 bytes of a version 1.0 `.npy` file of that shape."""
    opening = b"\x93NUMPY\x01\x00" + (_NPY_HEADER - 10).to_bytes(2, "little")
    shape = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({count}, {width}), }}"
    return opening + shape.ljust(_NPY_HEADER - 11).encode("ascii") + b"\n"


def _safetensors_header(count: int, width: int, descr: str) -> bytes:
    """Return the first 520 bytes of a safetensors file with one tensor of that shape."""
    size = count * width * int(descr[2:])
    tensor = {
        "dtype": _SAFETENSORS_TYPES[descr],
        "shape": [count, width],
        "data_offsets": [0, size],
    }
    text = json.dumps({TENSOR_NAME: tensor}).ljust(_SAFETENSORS_HEADER)
    return _SAFETENSORS_HEADER.to_bytes(8, "little") + text.encode("ascii")


HEADERS: dict[str, Callable[[int, int, str], bytes]] = {
    "npy": _npy_header,
    "safetensors": _safetensors_header,
}
"""A header of fixed length per format, from the number of rows and columns and the type."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VectorColumns:
    """The columns with a row's vector, its id, its text and the name of its file.

    Without `identity` rows are numbered from 1. With `of_tokens` a row has a vector per token, and
    columns `tokens` and `offsets` with each token's range in the text.
    """

    vector: str
    of_tokens: bool = False
    identity: str | None
    text: str | None
    file: str | None = None


def check_vector_files(path: str, *, force: bool) -> tuple[str, str, str]:
    """Return the names of the files to write: vectors, rows and metadata.

    Raises `UsageError` if one of them may not be written.
    """
    names = (path, path + ROWS_SUFFIX, path + METADATA_SUFFIX)
    for name in names:
        check_destination(name, force=force)
        if Path(name).exists() and not Path(name).is_file():
            raise UsageError(f"{name}: vectors cannot go into a pipe; name a file")
    if split_suffixes(path)[1] is not None:
        raise UsageError(f"{path}: vectors are not compressed; leave out the last suffix")
    return names


class VectorWriter(WholeOrNothing):
    """Writes the vectors of blocks of rows, in place of a row writer.

    A row that failed gets `blank`, so that vectors and rows stay aligned. `about` is the metadata.
    All three files appear whole or not at all. With `extends` they begin with the vectors and rows
    of that index, which they may replace; if there are no new rows, nothing is written. With
    `goes_on` the writer continues what an earlier one left, once its `restore` is called.
    """

    def __init__(
        self,
        path: str,
        kind: str,
        columns: VectorColumns,
        *,
        blank: "NDArray[np.generic]",
        about: Mapping[str, object],
        force: bool,
        extends: "VectorIndex | None" = None,
        goes_on: bool = False,
    ) -> None:
        """Raise `UsageError`, before anything is written, if a file may not be."""
        names = check_vector_files(path, force=force)
        self._kind = kind
        self._columns = columns
        self._blank = blank
        self._about = about
        self._count = 0
        self._row_number = 0 if extends is None else extends.count
        self._extends = extends
        self._outputs: list[FileOutput] = []
        try:
            for name in reversed(names):  # the vectors get their name last; see `close`
                if goes_on:
                    take_back(name)
                self._outputs.append(FileOutput(name, None, goes_on=goes_on))
            self._metadata, self._rows, self._vectors = self._outputs
            if not goes_on:
                self._vectors.write_bytes(self._header())
        except BaseException:
            self.abort()
            raise

    def _header(self) -> bytes:
        return HEADERS[self._kind](self._count, len(self._blank), self._blank.dtype.str)

    def write_rows(self, block: Block) -> None:
        """Write the vector of each row, or those of its tokens."""
        for row, additions in block:
            value = additions[self._columns.vector]
            self._row_number += 1
            if value is None:
                self._write(self._blank, {**self._named(row), "error": additions["error"]})
            elif self._columns.of_tokens:
                self._write_tokens(row, additions)
            else:
                self._write(cast("NDArray[np.generic]", value), self._named(row))

    def _write_tokens(self, row: Row, additions: Mapping[str, Any]) -> None:
        identity = self._identity(row)
        parts = (additions[name] for name in ("tokens", "offsets", self._columns.vector))
        for token, (start, end), vector in zip(*parts, strict=True):
            self._write(vector, {"id": identity, "token": token, "start": start, "end": end})

    def _write(self, vector: "NDArray[np.generic]", named: Mapping[str, object]) -> None:
        if self._extends is not None and not self._count:
            self._copy(self._extends)
        self._vectors.write_bytes(vector.tobytes())
        self._rows.write(object_text(named) + "\n")
        self._count += 1

    def _copy(self, stored: "VectorIndex") -> None:
        """Copy what the index holds, in parts."""
        for first in range(0, stored.count, _COPIED_ROWS):
            vectors = stored.read(first, min(first + _COPIED_ROWS, stored.count))
            self._vectors.write_bytes(vectors.tobytes())
        with Path(f"{stored.path}{ROWS_SUFFIX}").open("rb") as rows:
            for line in itertools.islice(rows, stored.count):
                self._rows.write_bytes(line)
        self._count = stored.count

    def _named(self, row: Row) -> dict[str, object]:
        columns = {"file": self._columns.file, "text": self._columns.text}
        if self._columns.file == self._columns.identity:
            del columns["file"]
        named = {name: cell_value(row, each) for name, each in columns.items() if each is not None}
        return {"id": self._identity(row), **named}

    def _identity(self, row: Row) -> object:
        column = self._columns.identity
        return self._row_number if column is None else cell_value(row, column)

    def close(self) -> None:
        """Write the number of vectors into the header and give all files their names."""
        if self._extends is not None and not self._count:
            self.abort()
            return
        self._vectors.rewrite_start(self._header())
        about = json.dumps({**self._about, "vectors": self._count}, indent=2, ensure_ascii=False)
        self._metadata.write(about + "\n")
        for output in self._outputs:  # a full disk shows here, before any file has its name
            output.finish()
        for output in self._outputs:  # the vectors last: then all is there
            output.commit()

    def state(self) -> State:
        """See `RowWriter`."""
        sizes = [output.position() for output in self._outputs]
        return {"bytes": sizes, "count": self._count, "row_number": self._row_number}

    def restore(self, state: State) -> None:
        """See `RowWriter`."""
        for output, size in zip(self._outputs, state["bytes"], strict=True):
            output.go_back(size)
        self._count, self._row_number = state["count"], state["row_number"]

    def sync(self) -> None:
        """See `RowWriter`."""
        for output in self._outputs:
            output.sync()

    def stays(self) -> None:
        """See `WholeOrNothing`."""
        super().stays()
        for output in self._outputs:
            output.stays()

    def leave(self) -> None:
        """See `WholeOrNothing`."""
        for output in self._outputs:
            output.leave()

    def abort(self) -> None:
        """Leave nothing of the files."""
        for output in self._outputs:
            output.discard()
