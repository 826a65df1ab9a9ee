"""JSON arrays of objects: text to rows, one element at a time, however the array is laid out."""

import json
import re
from collections.abc import Iterator

from distilcli.errors import InputError
from distilcli.rows.jsonl import DECODER, value_row
from distilcli.rows.lines import LONGEST
from distilcli.rows.row import NumberText, Row

BEGINS_ARRAY = re.compile(rb"\[\s*(?:[{\]]|$)")
"""The first bytes of an array of objects, as opposed to a line that is an array."""

_WHITESPACE = re.compile(r"[ \t\r\n]*")
_STRING_OR_BREAK = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*")|[ \t]*[\r\n]\s*')
_LONGEST_TOKEN = 8  # an escape or a literal that the text may cut


def array_rows(texts: Iterator[str], source: str) -> Iterator[Row]:
    """Yield the elements of an array as rows, each as soon as it has come.

    An element that is not an object gives a row with `error` set. Raises `InputError` for broken
    JSON, for an array that is cut off, and for an element longer than `LONGEST` characters.
    """
    array = _Array(texts, source)
    array.take("[")
    more = array.peek() != "]"
    while more:
        yield array.element()
        more = array.peek() == ","
        if more:
            array.take(",")
    array.take("]", expected="',' or ']'")
    if array.peek():
        raise array.broken("more follows after the end of the array")


class _Array:
    """The text of an array as far as it was read, and the position in it."""

    def __init__(self, texts: Iterator[str], source: str) -> None:
        self._texts = texts
        self._source = source
        self._text = ""
        self._position = 0
        self._line = 1

    def peek(self) -> str:
        """Return the next character that is not whitespace; `""` at the end of the text."""
        while True:
            found = _WHITESPACE.match(self._text, self._position)
            self._advance(found.end() if found else self._position)
            if self._position < len(self._text) or not self._read():
                return self._text[self._position : self._position + 1]

    def take(self, mark: str, expected: str | None = None) -> None:
        """Go past a character; raise `InputError` if another one is there."""
        found = self.peek()
        if found != mark:
            raise self.broken(f"{expected or repr(mark)} is expected") if found else self._cut_off()
        self._advance(self._position + 1)

    def element(self) -> Row:
        """Return the next element."""
        self.peek()
        value, end = self._decoded()
        start, line = self._position, self._line
        raw = self._text[start:end]
        if "\n" in raw or "\r" in raw:
            raw = _STRING_OR_BREAK.sub(_one_line, raw)
        self._advance(end)
        return value_row(value, raw, self._source, line)

    def _decoded(self) -> tuple[object, int]:
        """Return the value at the position and its end, reading as much text as it needs."""
        while True:
            error: json.JSONDecodeError | None = None
            try:
                value, end = DECODER.raw_decode(self._text, self._position)
                if end < len(self._text) or not isinstance(value, NumberText):
                    return value, end
            except json.JSONDecodeError as raised:
                error = raised
                if not self._may_be_cut(error, margin=_LONGEST_TOKEN):
                    raise self.broken(error.msg, error.pos) from None
            except RecursionError:
                raise self.broken("it is nested too deep") from None
            # In growing steps, so that a long element is not decoded once for every chunk.
            if not self._read((len(self._text) - self._position) // 4):
                if error is None:
                    return value, end
                if self._may_be_cut(error):
                    raise self._cut_off()
                raise self.broken(error.msg, error.pos)

    def _may_be_cut(self, error: json.JSONDecodeError, margin: int = 0) -> bool:
        """Return whether JSON may be broken only because the text ends too early."""
        at_end = error.pos >= len(self._text.rstrip()) - margin
        return at_end or error.msg.startswith("Unterminated string")

    def broken(self, why: str, position: int | None = None) -> InputError:
        """Return the error for JSON that is broken at a position, by default the current one."""
        position = self._position if position is None else position
        line = self._line + self._text.count("\n", self._position, position)
        column = position - self._text.rfind("\n", 0, position)
        return InputError(f"{self._source}: line {line}, column {column}: broken JSON: {why}")

    def _cut_off(self) -> InputError:
        return InputError(
            f"{self._source}: line {self._line}: the JSON array is cut off; the file is truncated"
        )

    def _advance(self, position: int) -> None:
        self._line += self._text.count("\n", self._position, position)
        self._position = position

    def _read(self, size: int = 1) -> bool:
        """Read at least `size` more characters, if there are any; drop those that are done."""
        parts = [self._text[self._position :]]
        found = 0
        while found < max(size, 1) and (part := next(self._texts, None)) is not None:
            parts.append(part)
            found += len(part)
        self._text, self._position = "".join(parts), 0
        if len(self._text) > LONGEST:
            raise InputError(
                f"{self._source}: line {self._line}: an element is longer than {LONGEST >> 20} MB"
            )
        return found > 0


def _one_line(found: re.Match[str]) -> str:
    """Keep a string; replace a line break by a blank between members, by nothing at brackets."""
    if found[1] is not None:
        return found[1]
    before, after = found.string[found.start() - 1], found.string[found.end()]
    return "" if before in "[{" or after in "]}" else " "
