"""The first rows of a run as a table that fits the terminal."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from distilcli.console import ROWS_SHOWN
from distilcli.console.terminal import plain_table, printable, stdout, terminal_size, text
from distilcli.rows.row import Row
from distilcli.rows.row_writer import AddedNames, Block
from distilcli.wording import count, listing

if TYPE_CHECKING:
    from rich.text import Text

_GAP = 2  # spaces between two columns
_MIN_TEXT, _MAX_TEXT = 24, 100
_MAX_OTHER = 30
_MIN_ROWS = 5
_OTHER_LINES = 16  # lines of a screen that the header, the notes and the summary take
_LIVE_WIDTH = 12  # a longer label may come

Shown = dict[str, object]


class MarkedText(str):
    """A text with spans (start, end) that stand out."""

    spans: Sequence[tuple[int, int]]

    __slots__ = ("spans",)


class Preview:
    """A table of the first rows of a run; takes blocks like a writer of rows.

    With `live`, every row is shown at once. The columns that the model reads (`text_columns`) are
    always shown, then the new columns and then the others as far as there is room.
    """

    only_in_files: frozenset[str] = frozenset()
    """New columns that the table does without."""

    def __init__(
        self, names: AddedNames, *, text_columns: Sequence[str], live: bool = False
    ) -> None:
        self._names = names
        # A dotted path leads into a column of the table.
        self._texts = {part for name in text_columns for part in (name, name.partition(".")[0])}
        self._live = live
        self._most = lines_for_rows()
        self._rows: list[Shown] = []
        self._added: dict[str, None] = {}
        self._total = 0
        self._widths: dict[str, int] | None = None

    def write_rows(self, block: Block) -> None:
        """Take a block of rows with their additions."""
        self._total += len(block)
        for row, additions in block if self._live else block[: self._most - len(self._rows)]:
            self._rows.append(self._shown(row, additions))
        if self._live:
            self._print_rows()
            self._rows.clear()

    def __enter__(self) -> "Preview":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._rows:
            self._print_rows()
            self._print_rest()

    def _shown(self, row: Row, additions: Mapping[str, object]) -> Shown:
        """Return what is shown of a row, by column."""
        named = self._names.apply(row, self._readable(additions))
        self._added |= dict.fromkeys(named)
        cells = dict(zip(row.columns, row.cells, strict=False))
        for name in self._texts & cells.keys():
            cells[name] = self._marked(cells[name], additions)
        return {**cells, **named}

    def _readable(self, additions: Mapping[str, object]) -> Mapping[str, object]:
        """Return the new cells as people read them."""
        return additions

    def _marked(self, text: object, additions: Mapping[str, object]) -> object:
        """Return a text cell, as a `MarkedText` where something in it stands out."""
        return text

    def _print_rows(self) -> None:
        table = plain_table(show_header=self._widths is None)
        if self._widths is None:
            self._widths = self._fitted()
        for name, width in self._widths.items():
            table.add_column(
                text(name), width=width, justify="right" if self._is_number(name) else "left",
                no_wrap=True, overflow="ellipsis",
            )  # fmt: skip
        for row in self._rows:
            cells = self._widths.items()
            table.add_row(*(self._cell(name, row.get(name), width) for name, width in cells))
        stdout().print(table)

    def _cell(self, name: str, value: object, width: int) -> "Text":
        """Return a cell; rich cuts off what is longer than `width`."""
        spans = getattr(value, "spans", None)
        if spans and isinstance(value, str):
            return _excerpt(value, spans, width)
        is_new = name in self._added
        style = self._style(name.removeprefix(self._names.prefix)) if is_new else ""
        return text(_in_words(value), style)

    def _style(self, name: str) -> str:
        """Return the style of a new column, by its name without prefix."""
        return "red" if name.endswith("error") else "bold" if "label" in name else ""

    def _print_rest(self) -> None:
        """Say what the table does not show."""
        hidden = [name for name in self._all_names() if name not in (self._widths or ())]
        more = self._total - len(self._rows)
        rest = [count(more, "more row")] if more else []
        rest += [f"columns not shown: {listing(hidden)}"] if hidden else []
        if rest:
            stdout().print(text(f"… {'; '.join(rest)}; -o FILE keeps them all", "dim"))

    def _all_names(self) -> list[str]:
        return list(dict.fromkeys(name for row in self._rows for name in row))

    def _fitted(self) -> dict[str, int]:
        """Choose the columns that fit the terminal, in their order, with their widths."""
        left_out = {self._names.prefix + name for name in self.only_in_files}
        names = [name for name in self._all_names() if name not in left_out]
        widths = {name: self._natural_width(name) for name in names}
        texts = [name for name in names if name in self._texts and name not in self._added]
        added = [name for name in names if name in self._added]
        others = [name for name in names if name not in {*texts, *added}]
        chosen, room = set(texts), terminal_size().columns + _GAP
        # The new columns may leave less room to the text than the input's other columns.
        for group, least in ((added, _MIN_TEXT // 2), (others, _MIN_TEXT)):
            for name in group:
                for_texts = sum(
                    max(min(widths[each], least), min(len(each), _MAX_OTHER)) + _GAP
                    for each in texts
                )
                if for_texts + widths[name] + _GAP <= room:
                    chosen.add(name)
                    room -= widths[name] + _GAP
        # Short texts leave what they do not need to long ones.
        for index, name in enumerate(sorted(texts, key=lambda name: widths[name])):
            share = room // (len(texts) - index) - _GAP
            widths[name] = max(8, share if self._live else min(widths[name], share))
            room -= widths[name] + _GAP
        return {name: widths[name] for name in names if name in chosen}

    def _natural_width(self, name: str) -> int:
        from rich.cells import cell_len

        widest = max(cell_len(_in_words(row.get(name))) for row in self._rows)
        if self._live and name in self._added and not self._is_number(name):
            widest = max(widest, _LIVE_WIDTH)
        return max(min(widest, self._max_width(name)), cell_len(name))

    def _max_width(self, name: str) -> int:
        return _MAX_TEXT if name in self._texts else _MAX_OTHER

    def _is_number(self, name: str) -> bool:
        return all(isinstance(row.get(name), int | float | None) for row in self._rows)


def lines_for_rows() -> int:
    """Return how many rows are shown: with the summary they fit on one screen."""
    if not sys.stdout.isatty():
        return ROWS_SHOWN
    return max(_MIN_ROWS, min(ROWS_SHOWN, terminal_size().lines - _OTHER_LINES))


def _in_words(value: object) -> str:
    """Return a cell as people read it, on one line."""
    from distilcli.rows.jsonl import as_cell

    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_in_words, value))
    return printable(" ".join(as_cell(value).split()))


def _excerpt(content: str, spans: Sequence[tuple[int, int]], width: int) -> "Text":
    """Return a text from where its first span is seen in `width` columns, its spans in green."""
    shown, (start, end) = text(printable(content)), spans[0]
    for span in spans:
        shown.stylize("bold green", *span)
    first = min(start - (width - end + start) // 2, len(content) - width)
    return shown if end <= width or first <= 0 else text("…").append(shown[first + 1 :])
