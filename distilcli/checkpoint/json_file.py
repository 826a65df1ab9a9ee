"""The text and JSON files of a model; whatever is wrong with one is told in one line."""

import json
from pathlib import Path
from typing import Any

from distilcli.errors import DistilError, ModelError

JsonObject = dict[str, Any]

DOWNLOAD_AGAIN = "download it again"
LFS_POINTER = b"version https://git-lfs"
"""How the small file begins that stands for a large one until git-lfs fetches it."""
LFS_PULL = "run 'git lfs pull' in its repository, or download the file itself"


def read_text(
    path: Path, *, way_out: str = DOWNLOAD_AGAIN, error: type[DistilError] = ModelError
) -> str:
    """Return the text of a UTF-8 file, without a byte order mark.

    Raises `error`, ending in the `way_out`, for a file that is missing, unreadable, not UTF-8 or
    a git-lfs pointer.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise error(f"{path}: no such file; {way_out}") from None
    except OSError as raised:
        raise error(f"{path}: cannot be read: {raised.strerror}; {way_out}") from None
    if content.startswith(LFS_POINTER):
        raise error(f"{path}: is a git-lfs pointer, not the file; {LFS_PULL}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as raised:
        line = content.count(b"\n", 0, raised.start) + 1
        byte = content[raised.start]
        raise error(f"{path}: line {line}: byte 0x{byte:02x} is not UTF-8; {way_out}") from None


def read_json(
    path: Path, *, way_out: str = DOWNLOAD_AGAIN, error: type[DistilError] = ModelError
) -> object:
    """Return the content of a JSON file; raises as `read_text` does, and for what is not JSON."""
    text = read_text(path, way_out=way_out, error=error)
    try:
        content: object = json.loads(text)
    except json.JSONDecodeError as raised:
        where = f"{path}: line {raised.lineno}, column {raised.colno}"
        raise error(f"{where}: not JSON: {raised.msg}; {way_out}") from None
    except ValueError as raised:  # a number of thousands of digits
        raise error(f"{path}: cannot be read as JSON: {raised}; {way_out}") from None
    except RecursionError:
        raise error(f"{path}: nested too deep; {way_out}") from None
    return content


def read_object(
    path: Path, *, way_out: str = DOWNLOAD_AGAIN, error: type[DistilError] = ModelError
) -> JsonObject:
    """Return the JSON object in a file; raises as `read_json` does, and for any other JSON."""
    content = read_json(path, way_out=way_out, error=error)
    if not isinstance(content, dict):
        raise error(f"{path}: not a JSON object; {way_out}")
    return content
