"""Where rows go: a file that appears whole or not at all, or a stream that is flushed at once."""

import contextlib
import os
import select
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TextIO, TypeVar

from distilcli.errors import UsageError
from distilcli.escapes import visible
from distilcli.rows.extras import require_zstd
from distilcli.rows.file_output import FileOutput, explained, in_pieces
from distilcli.rows.formats import split_suffixes


class Output(Protocol):
    """A destination of text: `commit` finishes it, `discard` leaves nothing half-written behind."""

    def write(self, text: str) -> None:
        """Write the text as UTF-8; raise `ResourceError` if it cannot be written."""

    def flush(self) -> None:
        """Make what was written visible, if it can be seen before the end."""

    def commit(self) -> None:
        """Finish."""

    def discard(self) -> None:
        """Give up."""


def check_destination(path: str, *, force: bool) -> None:
    """Raise `UsageError` if no file can be written to `path`, before any work is done."""
    if not path:
        raise UsageError("the name of a file to write is empty ('')")
    target = Path(path)
    try:
        target.lstat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
    if _is_device(target):
        return
    if target.is_dir():
        raise UsageError(f"{path}: is a folder; name a file in it")
    if target.exists() and not force:
        raise UsageError(f"{path}: already exists; use `force` to replace it")
    if not target.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {str(target.parent)!r}; create it first")
    if not os.access(target.parent, os.W_OK):
        raise UsageError(f"{path}: no permission to write to the folder {str(target.parent)!r}")
    if split_suffixes(path)[1] == "zstd":
        require_zstd()


def is_same_file(path: str | Path, other: str | Path) -> bool:
    """Return whether two paths are the same file, existing or not, links followed; no device is."""
    one, two = Path(path).resolve(), Path(other).resolve()
    if _is_device(one):
        return False
    return one == two or (one.exists() and two.exists() and one.samefile(two))


def _is_device(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


class StreamOutput:
    """Standard output or another open text stream, written as UTF-8 and left open."""

    def __init__(self, stream: TextIO, name: str = "standard output") -> None:
        self._stream = stream
        self._name = name
        self._is_terminal = stream.isatty()
        # Not the text layer, which has its own encoding and line ends.
        self._bytes: BinaryIO | None = getattr(stream, "buffer", None)
        stream.flush()

    def write(self, text: str) -> None:
        """See `Output`."""
        if self._is_terminal:
            text = visible(text)
        with explained(self._name):
            for piece in in_pieces(text):
                if self._bytes is not None:
                    _write_all(self._bytes, piece)
                else:
                    self._stream.write(piece.decode("utf-8"))

    def flush(self) -> None:
        """See `Output`."""
        with explained(self._name):
            (self._bytes or self._stream).flush()

    def commit(self) -> None:
        """See `Output`."""
        self.flush()

    def discard(self) -> None:
        """See `Output`; what is out cannot be taken back."""


def _write_all(stream: BinaryIO, data: bytes) -> None:
    """Write to a stream that may take only a part at once.

    An unbuffered stream (PYTHONUNBUFFERED) does after a signal or on a slow or non-blocking pipe.
    """
    left = memoryview(data)
    while left:
        taken: int | None = stream.write(left)
        if taken is None:
            select.select([], [stream], [])
        else:
            left = left[taken:]


class DeviceOutput(StreamOutput):
    """A named pipe or device such as `/dev/null`: opened, written to, closed."""

    def __init__(self, path: str) -> None:
        with explained(path):
            self._opened = Path(path).open("w", encoding="utf-8")  # noqa: SIM115  closed by commit
        super().__init__(self._opened, path)

    def commit(self) -> None:
        """See `Output`."""
        super().commit()
        self._opened.close()

    def discard(self) -> None:
        """See `Output`."""
        with contextlib.suppress(OSError):
            self._opened.close()


Kept = TypeVar("Kept", bound="WholeOrNothing")


State = dict[str, Any]
"""The position in an output and what its writer needs to continue, as plain JSON values."""


class WholeOrNothing(ABC):
    """A context manager that keeps what was written only if no error occurred.

    After `stays`, unfinished files are left for a run that continues.
    """

    _stays = False

    @abstractmethod
    def close(self) -> None:
        """Finish and give files their names."""

    @abstractmethod
    def abort(self) -> None:
        """Give up; no file is left."""

    def __enter__(self: Kept) -> Kept:
        return self

    def stays(self) -> None:
        """From here on, leave unfinished files on the disk however the run ends."""
        self._stays = True

    def removed(self) -> None:
        """From here on, remove unfinished files however the run ends."""
        self._stays = False

    def leave(self) -> None:
        """Close the unfinished files and leave them."""
        self.abort()

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        try:
            if error is None:
                self.close()
                return
        except BaseException:
            self._give_up()
            raise
        self._give_up()

    def _give_up(self) -> None:
        if self._stays:
            self.leave()
        else:
            self.abort()


def open_output(
    destination: str | TextIO,
    compression: str | None,
    *,
    force: bool,
    table: str | None = None,
    goes_on: bool = False,
) -> Output:
    """Open a path, or wrap a stream; an existing pipe or device is a stream too.

    `table` and `goes_on` are those of a `FileOutput`.
    """
    if not isinstance(destination, str):
        return StreamOutput(destination)
    check_destination(destination, force=force)
    if _is_device(Path(destination)):
        return DeviceOutput(destination)
    return FileOutput(destination, compression, table=table, goes_on=goes_on)


def write_text(path: str, text: str) -> None:
    """Replace a small file, whole or not at all; its suffix may say to compress it."""
    output = open_output(path, split_suffixes(path)[1], force=True)
    try:
        output.write(text)
        output.commit()
    except BaseException:
        output.discard()
        raise
