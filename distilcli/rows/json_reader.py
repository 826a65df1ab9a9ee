"""JSON that comes in parts: its brackets, and its values one at a time."""

import json
import re
from collections.abc import Iterator

from distilcli.errors import InputError
from distilcli.rows.jsonl import DECODER
from distilcli.rows.lines import LONGEST
from distilcli.rows.row import NumberText

Element = tuple[object, str, int]
"""A value, its text and its line."""

_WHITESPACE = re.compile(r"[ \t\r\n]*")
_LONGEST_TOKEN = 8  # an escape or a literal that the text may cut


class JsonReader:
    """The text as far as it was read, and the position in it.

    `hint` ends the message of what is broken. Raises `InputError` for that, for text that is cut
    off, and for a value longer than `LONGEST` characters.
    """

    def __init__(self, texts: Iterator[str], source: str, *, hint: str = "") -> None:
        self._texts = texts
        self._source = source
        self._hint = hint
        self._text = ""
        self._position = 0
        self._line = 1
        self._dropped = 0  # characters of the line in which the text begins

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

    def value(self) -> Element:
        """Return the next value."""
        self.peek()
        value, end = self._decoded()
        found = value, self._text[self._position : end], self._line
        self._advance(end)
        return found

    def elements(self) -> Iterator[Element]:
        """Yield the elements of an array, each as soon as it has come."""
        self.take("[")
        more = self.peek() != "]"
        while more:
            yield self.value()
            more = self.goes_on("]")
        self.take("]")

    def goes_on(self, closing: str) -> bool:
        """Go past a comma; False if there is the closing bracket instead."""
        more = self.peek() != closing
        if more:
            self.take(",", expected=f"',' or '{closing}'")
        return more

    def end(self) -> None:
        """Raise `InputError` if anything follows."""
        if self.peek():
            raise self.broken("more follows after the end")

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
            begin = self._position
            if not self._read((len(self._text) - begin) // 4):
                if error is None:
                    return value, end - begin
                if self._may_be_cut(error, begin=begin):
                    raise self._cut_off()
                raise self.broken(error.msg, error.pos - begin)

    def _may_be_cut(self, error: json.JSONDecodeError, begin: int = 0, margin: int = 0) -> bool:
        """Return whether JSON may be broken only because the text ends too early."""
        at_end = error.pos - begin >= len(self._text.rstrip()) - margin
        return at_end or error.msg.startswith("Unterminated string")

    def broken(self, why: str, position: int | None = None) -> InputError:
        """Return the error for JSON that is broken at a position, by default the current one."""
        position = self._position if position is None else position
        line = self._line + self._text.count("\n", self._position, position)
        newline = self._text.rfind("\n", 0, position)
        column = position - newline + (self._dropped if newline < 0 else 0)
        return InputError(
            f"{self._source}: line {line}, column {column}: broken JSON: {why}{self._hint}"
        )

    def _cut_off(self) -> InputError:
        return InputError(
            f"{self._source}: line {self._line}: the JSON is cut off; the file is truncated"
        )

    def _advance(self, position: int) -> None:
        self._line += self._text.count("\n", self._position, position)
        self._position = position

    def _read(self, size: int = 1) -> bool:
        """Read at least `size` more characters, if there are any; drop those that are done."""
        parts = [self._text[self._position :]]
        newline = self._text.rfind("\n", 0, self._position)
        self._dropped = self._position - newline - 1 + (self._dropped if newline < 0 else 0)
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
