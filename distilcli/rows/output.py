"""Where rows go: a file that appears whole or not at all, or a stream that is flushed at once."""

import contextlib
import errno
import os
import select
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol, TextIO, TypeVar, cast

from distilcli.errors import ResourceError, UsageError
from distilcli.escapes import visible
from distilcli.interrupt import undo_at_sudden_end
from distilcli.rows.compression import compressor
from distilcli.rows.extras import require_zstd
from distilcli.rows.formats import split_suffixes

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


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


def to_bytes(text: str) -> bytes:
    r"""Return UTF-8; a lone surrogate becomes `\udXXX`, its own escape in JSON."""
    return text.encode("utf-8", "backslashreplace")


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


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn an `OSError` of a write into one line; a broken pipe is passed on."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        way_out = "; free some space" if error.errno in _FULL else ""
        reason = error.strerror or str(error)
        raise ResourceError(f"{name}: cannot be written: {reason}{way_out}") from error


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
        with _explained(self._name):
            if self._bytes is not None:
                _write_all(self._bytes, to_bytes(text))
            else:
                self._stream.write(to_bytes(text).decode("utf-8"))

    def flush(self) -> None:
        """See `Output`."""
        with _explained(self._name):
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


class FileOutput:
    """A file written under a temporary name beside its own and renamed by `commit`.

    Until then an existing file is unchanged; it may even be the input that is being read.
    """

    def __init__(self, path: str, compression: str | None) -> None:
        self._name = path
        self._compression = compression
        # A link is kept; the file behind it is replaced.
        self.target = Path(path).resolve()
        # A name of maximal length leaves no room for a suffix.
        name = f".{self.target.name[:50]}.{os.urandom(4).hex()}.part"
        self.temporary = self.target.with_name(name)
        self._undo = undo_at_sudden_end(partial(self.temporary.unlink, missing_ok=True))
        with _explained(path):
            # Opened by descriptor, so that the umask decides the mode.
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
            self._file = cast("BinaryIO", os.fdopen(os.open(self.temporary, flags, 0o666), "wb"))
        self._packed = compressor(self._file, compression)

    def another(self) -> "FileOutput":
        """Return a second temporary file for the same destination."""
        return FileOutput(self._name, self._compression)

    def write(self, text: str) -> None:
        """See `Output`."""
        with _explained(self._name):
            self._packed.write(to_bytes(text))

    @property
    def file(self) -> BinaryIO:
        """The file itself, for a library that writes its own bytes (inside `explained`)."""
        return self._file

    def explained(self) -> contextlib.AbstractContextManager[None]:
        """Return a context that turns an `OSError` into one line."""
        return _explained(self._name)

    def write_bytes(self, data: bytes) -> None:
        """Write bytes."""
        with _explained(self._name):
            self._packed.write(data)

    def rewrite_start(self, data: bytes) -> None:
        """Overwrite the first bytes of an uncompressed file, as the last step."""
        with _explained(self._name):
            self._file.seek(0)
            self._file.write(data)

    def flush(self) -> None:
        """See `Output`; nobody sees the file before the end."""

    def finish(self) -> None:
        """Flush and close the temporary file, which keeps its name."""
        with _explained(self._name):
            if self._packed is not self._file:
                self._packed.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def commit(self) -> None:
        """See `Output`."""
        try:
            if not self._file.closed:
                self.finish()
            with _explained(self._name):
                if self.target.exists():
                    self.temporary.chmod(stat.S_IMODE(self.target.stat().st_mode))
                self.temporary.replace(self.target)
            self._undo.close()
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """See `Output`."""
        for stream in (self._packed, self._file):
            # On a full disk flushing fails again; the file is removed anyway.
            with contextlib.suppress(OSError, ValueError):
                stream.close()
        self.temporary.unlink(missing_ok=True)
        self._undo.close()


class DeviceOutput(StreamOutput):
    """A named pipe or device such as `/dev/null`: opened, written to, closed."""

    def __init__(self, path: str) -> None:
        with _explained(path):
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


class WholeOrNothing(ABC):
    """A context manager that keeps what was written only if no error occurred."""

    @abstractmethod
    def close(self) -> None:
        """Finish and give files their names."""

    @abstractmethod
    def abort(self) -> None:
        """Give up; no file is left."""

    def __enter__(self: Kept) -> Kept:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if error is not None:
            self.abort()
            return
        try:
            self.close()
        except BaseException:
            self.abort()
            raise


def open_output(destination: str | TextIO, compression: str | None, *, force: bool) -> Output:
    """Open a path, or wrap a stream; an existing pipe or device is a stream too."""
    if not isinstance(destination, str):
        return StreamOutput(destination)
    check_destination(destination, force=force)
    if _is_device(Path(destination)):
        return DeviceOutput(destination)
    return FileOutput(destination, compression)


def write_text(path: str, text: str) -> None:
    """Replace a small file, whole or not at all; its suffix may say to compress it."""
    output = open_output(path, split_suffixes(path)[1], force=True)
    try:
        output.write(text)
        output.commit()
    except BaseException:
        output.discard()
        raise
