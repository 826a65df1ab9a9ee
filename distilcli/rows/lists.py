"""Lists in cells: JSON, as Python or numpy print them, or parts with a separator."""

import ast
import json
import re
import warnings

BRACKETS = ("[", "(", "{", "array(")
"""How the list in a cell begins."""

_QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_ARRAY = re.compile(rf"\[\s*(?:(?:{_QUOTED})\s*)+\]", re.DOTALL)
"""How numpy prints texts: without commas, which Python would join."""
_WRAPPED = re.compile(r"array\((.*?)(?:,\s*dtype=[^()]*)?\)", re.DOTALL)


def parsed(cell: str) -> object:
    """Return the JSON value of a cell, or the one that Python printed; None if it is neither.

    Numbers are texts as spelled, NaN is None.
    """
    try:
        return json.loads(cell, parse_int=str, parse_float=str, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return _printed(cell.strip())


def _printed(text: str) -> object:
    if not text.startswith(BRACKETS):
        return None
    if wrapped := _WRAPPED.fullmatch(text):
        text = wrapped[1]
    if _ARRAY.fullmatch(text):
        text = f"[{','.join(re.findall(_QUOTED, text))}]"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about backslashes in text that is not Python
            return _plain(ast.literal_eval(text))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _plain(value: object) -> object:
    """Return a value of Python as one of JSON, numbers as texts."""
    if isinstance(value, set):
        value = sorted(value, key=str)
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    return value if value is None or isinstance(value, str | bool) else str(value)


def words_of(value: object) -> list[str | None] | None:
    """Return words or their tags: a list, a list in a cell, or a text split at blanks.

    A missing word or tag is None; None instead of a list means that the cell has none.
    """
    if isinstance(value, str):
        value = parsed(value) if value.lstrip().startswith("[") else value.split()
    is_list = isinstance(value, list) and all(isinstance(word, str | None) for word in value)
    return value if is_list else None  # type: ignore[return-value]
