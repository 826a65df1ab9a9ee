"""Tell rows with new texts from those whose text an index holds, by a hash of the text."""

from collections.abc import MutableMapping
from hashlib import blake2b

import numpy as np

from distilcli.errors import InputError, RowError
from distilcli.rows.jsonl import as_cell
from distilcli.rows.row import Row, cell_text, cell_value, is_blank
from distilcli.vectors.index import VectorIndex


class NewTexts:
    """Says for each row in turn whether its text is new; `facts` counts `known_rows`.

    Rows of the index that failed do not count as known, so that they are tried again; nor do empty
    texts, which fail unless `keep_empty`. A stored text takes 8 bytes of memory; that two of a
    million share a hash has a probability of 3e-8.
    """

    def __init__(
        self,
        column: str,
        stored: VectorIndex | None,
        facts: MutableMapping[str, int],
        *,
        keep_empty: bool = False,
    ) -> None:
        """Raise `InputError` for an index without texts."""
        self._column = column
        self._keep_empty = keep_empty
        self._facts = facts
        self._new: set[int] = set()
        facts["known_rows"] = 0
        self._stored = np.empty(0, np.uint64)
        if stored is not None and stored.count:
            names = stored.names()
            if "text" not in names.columns:
                raise InputError(f"{stored.path}: has no texts beside it; embed all rows again")
            texts = (as_cell(row.get("text")) for row in names if "error" not in row)
            self._stored = np.sort(np.fromiter(map(_hash, texts), np.uint64))

    def __call__(self, row: Row) -> bool:
        """Return whether the text is new; a row without one is, and fails later."""
        try:
            is_null = cell_value(row, self._column) is None
            text = "" if is_null else cell_text(row, self._column)
        except RowError:
            return True
        if is_blank(text) and not self._keep_empty:
            return True
        found = _hash(text)
        position = np.searchsorted(self._stored, np.uint64(found))
        is_stored = position < len(self._stored) and self._stored[position] == found
        if row.error is None and (is_stored or found in self._new):
            self._facts["known_rows"] += 1
            return False
        self._new.add(found)
        return True


def _hash(text: str) -> int:
    content = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little")
