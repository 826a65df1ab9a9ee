"""The unfinished file beside an output: its name, and the lock of the run that writes it."""

import hashlib
import os
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import quote

from distilcli.errors import UsageError, tell

PART = ".part"
JOURNAL = ".run.json"

_LONGEST_NAME = 150
_FLAGS = os.O_CREAT | os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


def beside(path: str | Path, suffix: str, table: str | None = None) -> Path:
    """Return the hidden file of an output, or of its table in a database; links are followed."""
    target = Path(path).resolve()
    name = target.name if table is None else f"{target.name}-{quote(table, safe='')}"
    if len(name.encode()) > _LONGEST_NAME:
        name = f"{name[:50]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    return target.with_name(f".{name}{suffix}")


def open_part(part: Path, name: str, *, goes_on: bool) -> BinaryIO:
    """Open the unfinished file of an output that messages call `name`, for this run alone.

    With `goes_on` its content is kept; otherwise it was left by a killed run and is removed. The
    user is told, unless there is a journal, whose reader can say more. Raises `UsageError` while
    another run is writing it.
    """
    while True:
        is_there = part.exists()
        # By descriptor, so that the umask decides the mode.
        descriptor = os.open(part, _FLAGS, 0o666)
        if not _locked(descriptor):
            os.close(descriptor)
            raise UsageError(f"{name}: another run is writing it; wait for it or name another file")
        # The other run may have renamed or removed it in the meantime.
        if part.exists() and os.path.samestat(part.stat(), os.fstat(descriptor)):
            break
        os.close(descriptor)
    if is_there and not goes_on:
        journal = part.with_name(part.name.removesuffix(PART) + JOURNAL)
        if os.fstat(descriptor).st_size and not journal.exists():
            tell(f"{name}: removed what a killed run left behind")
        os.ftruncate(descriptor, 0)
    return cast("BinaryIO", os.fdopen(descriptor, "rb+"))


def _locked(descriptor: int) -> bool:
    """Lock a file until it is closed or the process ends; return False if another run has it."""
    try:
        import fcntl  # noqa: PLC0415 - not on Windows
    except ImportError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
