"""The terminal: its size, and text that is safe to print on it."""

import os
import sys
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from distilcli.escapes import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console as RichConsole
    from rich.console import ConsoleOptions, RenderableType
    from rich.table import Table
    from rich.text import Text

_FALLBACK = os.terminal_size((100, 24))


def terminal_size() -> os.terminal_size:
    """Return columns and lines of the terminal, or 100 x 24 without one.

    `COLUMNS` and `LINES` come first. Either stream may be a pipe, so all three are asked.
    """
    columns, lines = (os.environ.get(name, "") for name in ("COLUMNS", "LINES"))
    found = _FALLBACK
    for descriptor in (0, 2, 1):
        with suppress(OSError):
            found = os.get_terminal_size(descriptor)
    return os.terminal_size(
        int(given) if given.isdecimal() and int(given) else actual or default
        for given, actual, default in zip((columns, lines), found, _FALLBACK, strict=True)
    )


def stdout(width: int | None = None) -> "RichConsole":
    """Return rich's console for stdout, in the width of the terminal by default."""
    return _console()(file=sys.stdout, width=width or terminal_size().columns)


def stderr() -> "RichConsole":
    """Return rich's console for stderr."""
    return _console()(stderr=True, width=terminal_size().columns)


@cache
def _console() -> "type[RichConsole]":
    """Return rich's console, set so that no text acts as markup or controls the terminal."""
    from rich.console import Console as RichConsole
    from rich.segment import Segment

    class VisibleConsole(RichConsole):
        def __init__(self, **settings: Any) -> None:
            super().__init__(highlight=False, markup=False, emoji=False, **settings)

        def render_str(self, text: str, **settings: Any) -> "Text":
            return super().render_str(visible(text), **settings)

        def render(
            self, renderable: "RenderableType", options: "ConsoleOptions | None" = None
        ) -> "Iterable[Segment]":
            for part in super().render(renderable, options):
                # What rich itself sends to the terminal are control segments and styles.
                yield part if part.control else Segment(visible(part.text), part.style)

    return VisibleConsole


def text(content: str, style: str = "") -> "Text":
    """Return text for rich in which nothing acts as markup or controls the terminal."""
    from rich.text import Text

    return Text(visible(content), style)


def plain_table(*, header_style: str = "bold", show_header: bool = True) -> "Table":
    """Return an empty table without lines."""
    from rich.table import Table

    return Table(box=None, pad_edge=False, header_style=header_style, show_header=show_header)


def fact_grid() -> "Table":
    """Return an empty grid of names and what they stand for."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    return grid


def wrapped(line: str) -> str:
    """Return a line broken at words where it is wider than the terminal."""
    from textwrap import fill

    # Paths and options stay in one piece: the terminal folds what is too long.
    return fill(
        line, terminal_size().columns, subsequent_indent="  ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def printable(text: str, *, space: str = " ", other: str = "\ufffd") -> str:
    """Return a text, character for character, without those that a terminal would obey."""
    return "".join(
        char if char.isprintable() else space if char.isspace() else other for char in text
    )
