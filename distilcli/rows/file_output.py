"""A file that gets its name only once it is complete, and can be continued until then."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from distilcli.errors import ResourceError
from distilcli.interrupt import undo_at_sudden_end
from distilcli.rows.compression import compressor
from distilcli.rows.part import PART, beside, open_part

MEMBER_SIZE = 1 << 20
"""Compressed output is cut into members of about this many bytes before compression."""

_SECOND = ".2" + PART
_PIECE = 1 << 20  # characters of a long text that are encoded at a time
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def to_bytes(text: str) -> bytes:
    r"""Return UTF-8; a lone surrogate becomes `\udXXX`, its own escape in JSON."""
    return text.encode("utf-8", "backslashreplace")


def in_pieces(text: str) -> Iterator[bytes]:
    """Yield `to_bytes` of a text, in several pieces if it is long."""
    for start in range(0, len(text), _PIECE):
        yield to_bytes(text[start : start + _PIECE])


@contextlib.contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn an `OSError` of a write into one line; a broken pipe is passed on."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        way_out = "; free some space" if error.errno in _FULL else ""
        reason = error.strerror or str(error)
        raise ResourceError(f"{name}: cannot be written: {reason}{way_out}") from error


def damaged(name: str) -> ResourceError:
    """Return the error for an interrupted run that left less output than its journal says."""
    return ResourceError(
        f"{name}: what the interrupted run left is damaged; start over without `resume`"
    )


def take_back(path: str) -> None:
    """Make a file unfinished again that was named before a run was killed, others of it not."""
    part = beside(path, PART)
    if not part.exists() and Path(path).exists():
        Path(path).replace(part)


class FileOutput:
    """A file written under a hidden name beside its own and renamed by `commit`.

    Until then an existing file is unchanged; it may even be the input that is being read. With
    `goes_on` it continues what an earlier run left; see `go_back`. Compressed output is a
    sequence of members, each of which can be unpacked alone.
    """

    def __init__(
        self,
        path: str,
        compression: str | None,
        *,
        table: str | None = None,
        goes_on: bool = False,
        suffix: str = PART,
    ) -> None:
        self._name = path
        self._compression = compression
        self._table = table
        # A link is kept; the file behind it is replaced.
        self.target = Path(path).resolve()
        self.temporary = beside(path, suffix, table)
        with explained(path):
            self._file = open_part(self.temporary, path, goes_on=goes_on)
            if suffix == PART:  # a run may have been killed in its last step
                beside(path, _SECOND, table).unlink(missing_ok=True)
        self._stays = False
        self._removal = undo_at_sudden_end(partial(self.temporary.unlink, missing_ok=True))
        if goes_on:
            self.stays()
        self._packed: BinaryIO | None = None
        self._begun = False
        self._member_size = 0

    def another(self) -> "FileOutput":
        """Return a second temporary file for the same destination."""
        return FileOutput(self._name, self._compression, table=self._table, suffix=_SECOND)

    def write(self, text: str) -> None:
        """See `Output`."""
        for piece in in_pieces(text):
            self.write_bytes(piece)

    @property
    def file(self) -> BinaryIO:
        """The file itself, for a library that writes its own bytes (inside `explained`)."""
        return self._file

    def explained(self) -> contextlib.AbstractContextManager[None]:
        """Return a context that turns an `OSError` into one line."""
        return explained(self._name)

    def write_bytes(self, data: bytes) -> None:
        """Write bytes."""
        with explained(self._name):
            if self._packed is None:
                self._packed = compressor(self._file, self._compression)
                self._begun = True
            self._packed.write(data)
            self._member_size += len(data)

    def rewrite_start(self, data: bytes) -> None:
        """Overwrite the first bytes of an uncompressed file, as the last step."""
        with explained(self._name):
            self._file.seek(0)
            self._file.write(data)

    def flush(self) -> None:
        """End a block of rows, and with it a compressed member that is long enough."""
        if self._compression is not None and self._member_size >= MEMBER_SIZE:
            self._end_member()

    def _end_member(self) -> None:
        with explained(self._name):
            if self._packed is not None and self._packed is not self._file:
                self._packed.close()
        self._packed, self._member_size = None, 0

    def position(self) -> int | None:
        """Return the size so far; None if the file cannot be cut here, within a member."""
        is_within = self._compression is not None and self._packed is not None
        return None if is_within else self._file.tell()

    def go_back(self, position: int) -> None:
        """Continue at a position that an earlier run saved; what it wrote after that is dropped.

        Raises `ResourceError` if the file ends before it.
        """
        with explained(self._name):
            if self._file.seek(0, os.SEEK_END) < position:
                raise damaged(self._name)
            self._file.truncate(position)
            self._file.seek(position)
        self._begun = position > 0

    def sync(self) -> None:
        """Wait until everything written is on the disk."""
        with explained(self._name):
            self._file.flush()
            os.fsync(self._file.fileno())

    def finish(self) -> None:
        """Flush and close the temporary file, which keeps its name."""
        if not self._begun:
            self.write_bytes(b"")  # nothing, compressed, is something
        self._end_member()
        self.sync()
        self._file.close()

    def commit(self) -> None:
        """See `Output`."""
        try:
            if not self._file.closed:
                self.finish()
            with explained(self._name):
                if self.target.exists():
                    self.temporary.chmod(stat.S_IMODE(self.target.stat().st_mode))
                self.temporary.replace(self.target)
        except BaseException:
            if not self._stays:
                self.discard()
            raise
        self._removal.close()

    def stays(self) -> None:
        """Keep the temporary file however this process ends, so that another can continue."""
        self._stays = True
        self._removal.close()

    def leave(self) -> None:
        """Close the temporary file and leave it for a run that continues."""
        for stream in (self._packed, self._file):
            # On a full disk flushing fails again.
            with contextlib.suppress(OSError, ValueError):
                if stream is not None:
                    stream.close()

    def discard(self) -> None:
        """See `Output`."""
        self.leave()
        self.temporary.unlink(missing_ok=True)
        self._removal.close()
