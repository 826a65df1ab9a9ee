"""Lists in cells: JSON, or parts with a sign between them."""

import json


def parsed(cell: str) -> object:
    """Return what a cell holds as JSON, numbers as they are spelled; None where it is none."""
    try:
        return json.loads(cell, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None


def words_of(value: object) -> list[str | None] | None:
    """Return words, or what each is labelled with: a list, also as JSON, or blanks between them.

    None is a word or a label that is missing; None instead of a list is a cell without one.
    """
    if isinstance(value, str):
        value = parsed(value) if value.lstrip().startswith("[") else value.split()
    is_list = isinstance(value, list) and all(isinstance(word, str | None) for word in value)
    return value if is_list else None  # type: ignore[return-value]


def listed(value: object, separator: str = ",") -> list[str]:
    """Return the labels of a cell: a list, a list as JSON, or a text with signs between them."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        found = parsed(value)
        value = found if isinstance(found, list) else value
    if isinstance(value, list):
        return [str(label) for label in value]
    return [part.strip() for part in str(value or "").split(separator) if part.strip()]
