"""The inputs of a run: paths, globs and standard input, checked before the first row."""

import contextlib
import glob
import io
import itertools
import os
import re
import select
import sys
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from distilcli.errors import InputError, UsageError
from distilcli.interrupt import undo_at_sudden_end
from distilcli.rows.compression import check_ratio, decompress
from distilcli.rows.extras import require_excel, require_parquet, require_zstd
from distilcli.rows.formats import INPUT_FORMATS, input_format_of, split_part, split_suffixes
from distilcli.rows.remote import RemotePath, is_remote, remote_files

STDIN = "-"

_MOST_LOOKED_AT = 1000
_URL = re.compile(r"(?:https?|ftp)://")


@dataclass(frozen=True, slots=True)
class Input:
    """One file or stream: its name for messages, and what is known without opening it.

    `path` is None for standard input, `size` (bytes) None if unknown, and `format` None if only
    the first line can tell. `part` is the table or sheet to read.
    """

    name: str
    path: Path | None
    format: str | None
    compression: str | None
    size: int | None
    part: str | None = None


def find_inputs(
    paths: Sequence[str], input_format: str | None, *, whole: bool = False
) -> list[Input]:
    """Expand globs and check every path without opening it.

    `whole` files may be empty and folders stand for the files in them, hidden ones excepted.
    Raises `InputError` for a missing or unreadable file, `UsageError` for an unknown suffix.
    """
    if "" in paths:
        raise UsageError("the name of a file to read is empty ('')")
    if sum(map(is_stdin, paths)) > 1:
        raise UsageError("standard input can be read only once; give '-' once")
    names = [name for path in paths for name in _expanded(path)]
    if whole:
        names = [file for name in names for file in _files_in(name)]
    return [
        Input("stdin", None, input_format, None, None, name.partition("::")[2] or None)
        if is_stdin(name)
        else _checked(name, input_format, may_be_empty=whole)
        for name in names
    ]


def is_stdin(path: str) -> bool:
    """Return whether a path stands for standard input, or a sheet or table of it."""
    return path == STDIN or path.startswith((f"{STDIN}::", "stdin::"))


def _expanded(path: str) -> list[str]:
    if _URL.match(path) and not os.path.lexists(path):
        raise InputError(
            f"{path}: URLs are not read; pipe it in: curl -sL '{path}' | distil COMMAND -"
        )
    if is_stdin(path) or not glob.has_magic(path) or os.path.lexists(path):
        return [path]
    file, part = split_part(path)
    matches = remote_files(file) if is_remote(file) else sorted(glob.glob(file, recursive=True))  # noqa: PTH207  names stay as given
    if not matches:
        raise InputError(f"{path}: no file matches")
    return matches if part is None else [f"{match}::{part}" for match in matches]


def _files_in(name: str) -> list[str]:
    """Return the files of a folder and its subfolders, in order; anything else is itself."""
    if not Path(name).is_dir():
        return [name]
    found = sorted(
        str(path)
        for path in Path(name).rglob("*")
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(name).parts)
    )
    if not found:
        raise InputError(f"{name}: is a folder without files")
    return found


def _checked(whole_name: str, input_format: str | None, *, may_be_empty: bool) -> Input:
    name, part = _file_and_part(whole_name)
    path = RemotePath(name).as_path() if is_remote(name) else Path(name)
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{name}: no such file") from error
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror}") from error
    if path.is_dir():
        raise InputError(f"{name}: is a folder; name its files, such as '{_files_like(path)}'")
    if not is_remote(name) and not os.access(path, os.R_OK):
        raise InputError(f"{name}: no permission to read it")
    _, compression = split_suffixes(name)
    if compression == "zstd":
        require_zstd()
    if not path.is_file():
        return Input(name, path, input_format, compression, None)
    size = path.stat().st_size
    if not size and not may_be_empty:
        raise InputError(f"{name}: is empty; a header or a row is needed")
    kind = input_format or input_format_of(name)
    if kind == "parquet":
        require_parquet()
    if kind == "xlsx":
        require_excel()
    return Input(name, path, kind, compression, size, part)


def _files_like(folder: Path) -> Path:
    """Return a pattern for the files in a folder, made from the first one that can be read."""
    for path in itertools.islice(folder.rglob("*"), _MOST_LOOKED_AT):
        if path.suffix.removeprefix(".").lower() in INPUT_FORMATS and path.is_file():
            return (folder if path.parent == folder else folder / "**") / f"*{path.suffix}"
    return folder / "*.csv"


def _file_and_part(name: str) -> tuple[str, str | None]:
    """Return the file and the table or sheet that a name stands for."""
    if os.path.lexists(name):
        return name, None
    file, mark, part = name.partition("::")
    if mark and os.path.lexists(file):  # whatever its suffix: a workbook may be named .csv
        return file, part
    return split_part(name)


class ByteSource:
    """The bytes of an input as they come, decompressed; counts those read from the file itself."""

    def __init__(self, source: Input) -> None:
        self._source = source
        self._raw = _CountedBytes(source)
        self.resources = contextlib.ExitStack()
        self.resources.callback(self._raw.close)
        weakref.finalize(self, self.resources.close)  # also where a run ends before its rows
        self.chunks: Iterator[bytes] = decompress(self._raw, source.compression, source.name)
        if source.compression is not None:
            self.chunks = self._bounded(self.chunks)

    @property
    def bytes_read(self) -> int:
        """Bytes read from the file so far, before decompression."""
        return self._raw.count

    def _bounded(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the unpacked bytes as long as they can be rows; raise `InputError` for a bomb."""
        unpacked = 0
        for chunk in chunks:
            unpacked += len(chunk)
            check_ratio(unpacked, self._raw.count, self._source.name)
            yield chunk

    @property
    def can_seek(self) -> bool:
        """Whether `seek` works: in a plain file."""
        return self._source.size is not None and self._source.compression is None

    def seek(self, offset: int) -> None:
        """Continue at a byte of a plain file; what comes before it counts as read."""
        self._raw.go_to(offset)
        self.chunks = decompress(self._raw, None, self._source.name)

    def count_share(self, share: float) -> None:
        """Count a share of the file as read, where a library reads it."""
        self._raw.count = int(share * (self._source.size or 0))

    def local_path(self, chunks: Iterator[bytes]) -> Path:
        """Return the path of the plain bytes, `chunks` copied to a temporary file if need be."""
        is_plain = self._source.size and self._source.compression is None
        if self._source.path and is_plain and not is_remote(str(self._source.path)):
            return self._source.path
        with tempfile.NamedTemporaryFile(prefix="distil-", delete=False) as copy:
            path = Path(copy.name)
            unlink = partial(path.unlink, missing_ok=True)
            self.resources.push(undo_at_sudden_end(unlink))
            self.resources.callback(unlink)
            copy.writelines(chunks)
        return path

    def close(self) -> None:
        """Close what is open; standard input is left open."""
        self.resources.close()


class _CountedBytes(io.RawIOBase):
    """A raw stream that counts its bytes; one read returns what is there and waits for no more.

    It has no buffer, because buffers have locks: a thread waiting for a pipe would hold one
    forever, nobody could close the stream, and Python's flush at exit would abort.
    """

    def __init__(self, source: Input) -> None:
        self.count = 0
        self._owned = source.path is not None
        if source.path is None and sys.stdin is None:
            raise InputError("stdin: is closed; there is nothing to read")
        try:
            opened = source.path.open("rb", buffering=0) if source.path else sys.stdin.buffer
        except OSError as error:
            raise InputError(f"{source.name}: cannot be opened: {error.strerror}") from error
        self._stream = cast("io.RawIOBase", getattr(opened, "raw", opened))
        self._name = source.name
        # Not `source.size`: another file may have taken its name. Streams have no size.
        is_here = source.size is not None and not is_remote(str(source.path))
        self._size = self._size_now() if is_here else 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while (size := self._stream.readinto(buffer)) is None:
            select.select([self._stream], [], [])  # the pipe is non-blocking
        if not size and self._size and (left := self._size_now()) < self._size:
            raise InputError(
                f"{self._name}: shrank from {self._size:,} to {left:,} bytes while it was read; "
                "run again when it is complete"
            )
        self.count += size
        return size

    def _size_now(self) -> int:
        return os.fstat(self._stream.fileno()).st_size

    def go_to(self, offset: int) -> None:
        self._stream.seek(offset)
        self.count = offset

    def close(self) -> None:
        if self._owned and not self.closed:
            self._stream.close()
        super().close()
