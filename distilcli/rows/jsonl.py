"""JSON lines: text to rows whose numbers keep their spelling, and values to JSON text.

A row that came as JSON goes out as the same bytes, with the new keys inserted before the closing
brace (`splice`).
"""

import json
import math
from collections.abc import Mapping

from distilcli.rows.row import JsonText, NumberText, Row

DECODER = json.JSONDecoder(
    parse_int=NumberText,
    parse_float=NumberText,
    parse_constant=lambda _: None,  # NaN and the infinities are missing values
)
_encode = json.JSONEncoder(ensure_ascii=False).encode
# Far below Python's recursion limit, so that whatever was read can also be written.
_DEEPEST = 100
_KINDS = {list: "an array", str: "a string", NumberText: "a number", bool: "a boolean"}


def parse_line(text: str, source: str, line: int) -> Row:
    """Return the row of a line of JSONL.

    A line that is not a JSON object gives a row with `error` set and its text in the column
    `raw`, so that it can be written out again.
    """
    where = f"{source}: line {line}"
    try:
        value = DECODER.decode(text)
    except json.JSONDecodeError as error:
        broken = f"{where}, column {error.colno}: broken JSON: {error.msg}"
        return _faulty(text, source, line, broken)
    except RecursionError:
        return _faulty(text, source, line, f"{where}: JSON nested more than {_DEEPEST} deep")
    return value_row(value, text, source, line)


def value_row(value: object, raw: str, source: str, line: int) -> Row:
    """Return the row of a JSON value whose text is `raw`, on one line; see `parse_line`."""
    where = f"{source}: line {line}"
    if raw.count("[") + raw.count("{") > _DEEPEST and _deeper(value, _DEEPEST):
        return _faulty(raw, source, line, f"{where}: JSON nested more than {_DEEPEST} deep")
    if not isinstance(value, dict):
        kind = _KINDS.get(type(value), "null")
        return _faulty(raw, source, line, f"{where}: a JSON object is expected, not {kind}")
    return Row(tuple(value), list(value.values()), source, line, raw=raw)


def _faulty(text: str, source: str, line: int, error: str) -> Row:
    return Row(("raw",), [text], source, line, error=error)


def _deeper(value: object, levels: int) -> bool:
    if isinstance(value, dict):
        return levels == 0 or any(_deeper(inner, levels - 1) for inner in value.values())
    if isinstance(value, list):
        return levels == 0 or any(_deeper(inner, levels - 1) for inner in value)
    return False


def splice(raw: str, additions: Mapping[str, object], *, empty: bool) -> str:
    """Return the JSON object `raw` with `additions` as its last keys and all else unchanged."""
    if not additions:
        return raw
    body = raw.rstrip(" \t")
    tail = raw[len(body) :]
    return f"{body[:-1]}{'' if empty else ', '}{_members(additions)}}}{tail}"


def object_text(items: Mapping[str, object]) -> str:
    """Return `items` as one JSON object."""
    return f"{{{_members(items)}}}"


def _members(items: Mapping[str, object]) -> str:
    return ", ".join(f"{json_text(name)}: {json_text(value)}" for name, value in items.items())


def json_text(value: object) -> str:
    """Return a value as compact JSON; a `JsonText` stays as it is.

    Floats are rounded to six significant digits, as much as single precision promises; NaN and
    infinities become `null`, bytes hexadecimal.
    """
    if isinstance(value, JsonText):
        return value
    if value is None or isinstance(value, (str, int)):
        return _encode(value)
    if isinstance(value, float):
        return float_text(value) or "null"
    if isinstance(value, bytes):
        return _encode(value.hex())
    if isinstance(value, dict):
        members = (f"{json_text(key)}:{json_text(inner)}" for key, inner in value.items())
        return f"{{{','.join(members)}}}"
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(json_text, value))}]"
    raise TypeError(f"no JSON for a {type(value).__name__}")


def float_text(value: float) -> str:
    """Return the shortest spelling of a float at six significant digits; `""` if not finite."""
    return repr(float(f"{value:.6g}")) if math.isfinite(value) else ""


def as_cell(value: object) -> str:
    """Return a value as the text of a CSV cell: null is empty, nested values are JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return float_text(value)
    return value.hex() if isinstance(value, bytes) else json_text(value)
