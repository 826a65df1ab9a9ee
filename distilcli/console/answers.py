"""Answers on a terminal: each with the passage of its context where it stands."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from distilcli.console.summary import Preview, Shown, one_line

if TYPE_CHECKING:
    from rich.text import Text

_AROUND = 160  # characters shown on either side of an answer, as far as there is room


class Passage(str):
    """A passage of a context; the answer stands from `start` to `end`, or not at all."""

    start: int
    end: int

    __slots__ = ("end", "start")


class AnswersPreview(Preview):
    """A table of answers: of a context it shows what stands around the answer.

    Where the passage is seen, the place in numbers says nothing more: it is left to files.
    """

    _for_files = frozenset({"start", "end"})

    def _shown(self, cells: Shown, additions: Mapping[str, object]) -> Shown:
        """Return a row's cells with a passage in place of the context."""
        answer, start, end = (additions.get(name) for name in ("answer", "start", "end"))
        if not (isinstance(answer, str) and isinstance(start, int) and isinstance(end, int)):
            return cells
        return {
            name: passage(cell, start, end)
            if name in self._texts and isinstance(cell, str) and cell[start:end] == answer
            else cell
            for name, cell in cells.items()
        }

    def _text(self, name: str, value: object, width: int) -> "Text":
        from rich.text import Text

        if not isinstance(value, Passage):
            return super()._text(name, value, width)
        around = max(0, width - (value.end - value.start)) // 2
        first = max(0, min(value.start - around, len(value) - width))
        before = value[first : value.start]
        found = Text("…" + before[1:] if first and before else before)
        found.append(value[value.start : value.end], "bold green")
        found.append(value[value.end :])
        return found

    def _style(self, name: str) -> str:
        answers = name in self._added and name.startswith(f"{self._names.prefix}answer")
        return "bold" if answers else super()._style(name)


def passage(context: str, start: int, end: int) -> Passage:
    """Return what stands around `context[start:end]`, on one line."""
    before = one_line(context[max(0, start - _AROUND) : start])
    answer = one_line(context[start:end])
    after = one_line(context[end : end + _AROUND])
    found = Passage(before + answer + after)
    found.start, found.end = len(before), len(before) + len(answer)
    return found
