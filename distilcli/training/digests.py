"""Digests of rows by their content, independent of names."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import fields, is_dataclass


def rows_digest(*parts: Iterable[object]) -> str:
    """Return the SHA-256 of rows by their values: renamed classes and fields do not change it.

    A row is a plain value, a list or tuple of them, or a dataclass, of which the fields with
    `compare` are taken in order.
    """
    found = hashlib.sha256()
    for part in parts:
        for row in part:
            found.update(json.dumps(_values(row), default=str).encode("ascii"))
            found.update(b"\0")
        found.update(b"\1")
    return found.hexdigest()


def _values(row: object) -> object:
    """Replace dataclasses by lists of their values, which `json` can write."""
    if is_dataclass(row):
        return [_values(getattr(row, field.name)) for field in fields(row) if field.compare]
    if isinstance(row, list | tuple):
        return [_values(each) for each in row]
    return row
