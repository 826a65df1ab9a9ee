"""JSON arrays of objects: text to rows, one element at a time, however the array is laid out."""

import re
from collections.abc import Iterator

from distilcli.rows.json_reader import JsonReader
from distilcli.rows.jsonl import value_row
from distilcli.rows.row import Row

BEGINS_ARRAY = re.compile(rb"\[\s*(?:[{\]]|$)")
"""The first bytes of an array of objects, as opposed to a line that is an array."""

_STRING_OR_BREAK = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*")|[ \t]*[\r\n]\s*')


def array_rows(texts: Iterator[str], source: str) -> Iterator[Row]:
    """Yield the elements of an array as rows, each as soon as it has come.

    An element that is not an object gives a row with `error` set. Raises `InputError` for broken
    JSON, for an array that is cut off, and for an element longer than `LONGEST` characters.
    """
    reader = JsonReader(texts, source)
    for value, raw, line in reader.elements():
        if "\n" in raw or "\r" in raw:
            raw = _STRING_OR_BREAK.sub(_one_line, raw)  # noqa: PLW2901
        yield value_row(value, raw, source, line)
    reader.end()


def _one_line(found: re.Match[str]) -> str:
    """Keep a string; replace a line break by a blank between members, by nothing at brackets."""
    if found[1] is not None:
        return found[1]
    before, after = found.string[found.start() - 1], found.string[found.end()]
    return "" if before in "[{" or after in "]}" else " "
