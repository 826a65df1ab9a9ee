"""Rows told by their texts, in 8 bytes each: which rows of a file are in another one.

Texts that differ in case and white space alone are the same.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

Keys = np.ndarray[Any, np.dtype[np.uint64]]

EMPTY = np.uint64(0)
"""The key of a row whose first text is empty."""

ROW_KEYS_FILE = "training_rows.npy"
"""The file of a run folder with the sorted keys of its training rows."""


def row_keys(texts: Sequence[str], pairs: Sequence[str] | None = None) -> Keys:
    """Return a key (N,) for each row, a text or a pair of texts; `EMPTY` for an empty text."""
    seconds = [None] * len(texts) if pairs is None else pairs
    keys = [_key(text, second) for text, second in zip(texts, seconds, strict=True)]
    return np.array(keys, dtype=np.uint64)


def _key(text: str, second: str | None) -> int:
    words = text.casefold().split()
    if not words:
        return 0
    if second is not None:
        words += ["\0", *second.casefold().split()]
    content = " ".join(words).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little")
