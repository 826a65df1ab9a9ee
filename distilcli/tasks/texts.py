"""Texts of rows, and the one rule for those that are empty; free of torch."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from distilcli.errors import RowError
from distilcli.rows.row import Row, cell_text, cell_value, is_blank

Item = TypeVar("Item")
Content = TypeVar("Content")

EMPTY = "empty text"
"""The error of a row with nothing to read."""


def refusing_empty(
    content_of: Callable[[Item], Content], parts: Sequence[str]
) -> Callable[[Item], Content]:
    """Return `content_of` with a `RowError` for an empty text: the one rule for all tasks.

    Content is a text, a list of words, or a tuple of texts that messages call `parts`.
    """

    def content(item: Item) -> Content:
        found = content_of(item)
        texts = found if isinstance(found, tuple) else (found,)
        for part, text in zip(parts, texts, strict=False):
            if _is_empty(text):
                raise RowError(f"{EMPTY}: {part}" if part else EMPTY)
        return found

    return content


def _is_empty(content: object) -> bool:
    if isinstance(content, str):
        return is_blank(content)
    # A list without words is a sentence without words, as at the end of a CoNLL file.
    return isinstance(content, list) and bool(content) and all(map(_is_empty, content))


def text_at(row: Row, column: str) -> str:
    """Return the text of a cell, an empty one for null; raise `RowError` for a faulty row."""
    if row.error is not None:
        raise RowError(row.error)
    value = cell_value(row, column)
    if value is None:
        return ""
    return value if type(value) is str else cell_text(row, column)
