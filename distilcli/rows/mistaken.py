"""Files that are not what their names say: recognized by their first line, and refused."""

import json
import re
from collections.abc import Sequence

from distilcli.errors import InputError
from distilcli.rows.formats import sniff_format

_PAGE = re.compile(r"\s*<(?:!doctype\s+)?html\b", re.IGNORECASE)
_NAMES = {",": "a comma", ";": "a semicolon"}


def check_first_line(line: str, kind: str, source: str, text_column: str | None) -> None:
    """Raise `InputError` if a file that should be of format `kind` clearly is not."""
    if kind != "txt" and _PAGE.match(line):
        raise InputError(f"{source}: is a web page (HTML), not {kind}; download the file itself")
    if kind in ("csv", "tsv") and (json_kind := _json_kind(line)):
        raise InputError(f"{source}: is JSON, not {kind}; set `input_format` {json_kind}")
    if kind == "tsv" and "\t" not in line:
        _, delimiter = sniff_format(line, text_column)
        if delimiter in _NAMES:
            raise InputError(
                f"{source}: has {_NAMES[delimiter]} between its columns, not a tab; set "
                f"`delimiter` {delimiter!r}"
            )


def _json_kind(line: str) -> str | None:
    """Return the format of a file whose first line is JSON; None if the line is not."""
    if line.strip() == "[":
        return "json"
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict):
        return "jsonl"
    is_array = isinstance(value, Sequence) and not isinstance(value, str)
    return "json" if is_array and any(isinstance(each, dict) for each in value) else None
