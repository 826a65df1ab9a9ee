"""Lists in cells: JSON, or parts with a separator."""

import json


def parsed(cell: str) -> object:
    """Return the JSON value of a cell, numbers as spelled; None if it is not JSON."""
    try:
        return json.loads(cell, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None


def words_of(value: object) -> list[str | None] | None:
    """Return words or their tags: a list, a list as JSON, or a text split at blanks.

    A missing word or tag is None; None instead of a list means that the cell has none.
    """
    if isinstance(value, str):
        value = parsed(value) if value.lstrip().startswith("[") else value.split()
    is_list = isinstance(value, list) and all(isinstance(word, str | None) for word in value)
    return value if is_list else None  # type: ignore[return-value]


def listed(value: object, separator: str = ",") -> list[str]:
    """Return the labels of a cell: a list, a list as JSON, or a text with separators."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        found = parsed(value)
        value = found if isinstance(found, list) else value
    if isinstance(value, list):
        return [str(label) for label in value]
    return [part.strip() for part in str(value or "").split(separator) if part.strip()]
