"""The text and JSON files of a model; whatever is wrong with one is told in one line."""

import json
import stat
from pathlib import Path
from typing import Any

from distilcli.errors import ModelError

JsonObject = dict[str, Any]

DOWNLOAD_AGAIN = "download it again"
LFS_POINTER = b"version https://git-lfs"
"""How the small file begins that stands for a large one until git-lfs fetches it."""
LFS_PULL = "run 'git lfs pull' in its repository, or download the file itself"


_LARGEST = 32 * 1024 * 1024
"""The most bytes in a file that is read whole: twice a vocabulary of half a million tokens."""
_MOST_BRACKETS = 500_000
_LONGEST_SHOWN = 80


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, without a byte order mark.

    Raises `ModelError` for a file that is missing, unreadable, absurdly large, not UTF-8 or a
    git-lfs pointer.
    """
    check_file(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}; {DOWNLOAD_AGAIN}") from None
    if content.startswith(LFS_POINTER):
        raise ModelError(f"{path}: is a git-lfs pointer, not the file; {LFS_PULL}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise ModelError(
            f"{path}: line {line}: byte 0x{byte:02x} is not UTF-8; {DOWNLOAD_AGAIN}"
        ) from None


def check_file(path: Path) -> None:
    """Raise `ModelError` for a text or JSON file that is absurdly large, or missing."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file; {DOWNLOAD_AGAIN}") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}; {DOWNLOAD_AGAIN}") from None
    if not stat.S_ISREG(status.st_mode):
        raise ModelError(f"{path}: cannot be read: it is not a file; {DOWNLOAD_AGAIN}")
    if status.st_size > _LARGEST:
        raise ModelError(
            f"{path}: is larger than {_LARGEST >> 20} MiB, which no model here needs; "
            f"{DOWNLOAD_AGAIN}"
        )


def read_json(path: Path) -> object:
    """Return the content of a JSON file; raises as `read_text` does, and for what is not JSON."""
    text = read_text(path)
    if text.count("[") + text.count("{") > _MOST_BRACKETS:
        raise ModelError(f"{path}: has more than {_MOST_BRACKETS:,} lists; {DOWNLOAD_AGAIN}")
    try:
        content: object = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"{path}: line {error.lineno}, column {error.colno}"
        raise ModelError(f"{where}: not JSON: {error.msg}; {DOWNLOAD_AGAIN}") from None
    except ValueError as error:  # a number of thousands of digits
        raise ModelError(f"{path}: cannot be read as JSON: {error}; {DOWNLOAD_AGAIN}") from None
    except RecursionError:
        raise ModelError(f"{path}: nested too deep; {DOWNLOAD_AGAIN}") from None
    return content


def read_object(path: Path) -> JsonObject:
    """Return the JSON object in a file; raises as `read_json` does, and for any other JSON."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise ModelError(f"{path}: not a JSON object; {DOWNLOAD_AGAIN}")
    return content


def shown(value: object) -> str:
    """Return a file's value for a message, as Python writes it, cut short if it is long."""
    try:
        written = repr(value)
    except ValueError:  # a number of thousands of digits
        written = "a very long number"
    except RecursionError:
        written = "a deeply nested value"
    return written if len(written) <= _LONGEST_SHOWN else f"{written[:_LONGEST_SHOWN]}…"
