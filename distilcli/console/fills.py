"""Filled texts on a terminal: the new words stand out, with what else could stand there."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from distilcli.console.summary import Preview, Shown, one_line, percent
from distilcli.tokenizer.filled import FilledText

if TYPE_CHECKING:
    from rich.text import Text

    from distilcli.rows.row import Row

_MOST_FILLS = 36  # three or four of them are worth a look


class FillsPreview(Preview):
    """A table of filled texts: the text shows its fills, so that it need not stand there twice."""

    _for_files = frozenset({"filled"})

    def write_rows(self, block: "Sequence[tuple[Row, Mapping[str, object]]]") -> None:
        """Take a block of rows with their additions."""
        super().write_rows([(row, _readable(additions)) for row, additions in block])

    def _shown(self, cells: Shown, additions: Mapping[str, object]) -> Shown:
        """Return a row's cells with the filled text in place of the text."""
        filled = additions.get("filled")
        if filled is None:
            return cells
        return {name: filled if name in self._texts else cell for name, cell in cells.items()}

    def _text(self, name: str, value: object, width: int) -> "Text":
        from rich.text import Text

        if name not in self._texts or not isinstance(value, FilledText):
            return super()._text(name, value, width)
        start, end = value.spans[0]
        # The first fill is seen, however far it is from the beginning.
        first = 0 if end <= width else max(0, min(start - width // 2, len(value) - width))
        text = Text(one_line(value))
        for span in value.spans:
            text.stylize("bold green", *span)
        return Text("…").append(text[first + 1 :]) if first else text

    def _most_width(self, name: str) -> int:
        is_fills = name in self._added and name == f"{self._names.prefix}fills"
        return _MOST_FILLS if is_fills else super()._most_width(name)


def _readable(additions: Mapping[str, object]) -> dict[str, object]:
    """Return additions with the fills in words: `good 52%, bad 20%`, masks apart by `·`."""
    fills = additions.get("fills")
    if not isinstance(fills, list):
        return dict(additions)
    return {**additions, "fills": " · ".join(map(_in_words, fills))}


def _in_words(fills: Sequence[dict[str, Any]]) -> str:
    return ", ".join(f"{fill['token']} {percent(fill['score'])}" for fill in fills)
