"""The terminal: its size, and text that is safe to print on it."""

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

_FALLBACK = os.terminal_size((100, 24))


def terminal_size() -> os.terminal_size:
    """Return columns and lines of the terminal, or 100 x 24 without one.

    `COLUMNS` and `LINES` come first. Either stream may be a pipe, so all three are asked.
    """
    columns, lines = (os.environ.get(name, "") for name in ("COLUMNS", "LINES"))
    found = _FALLBACK
    for descriptor in (1, 2, 0):
        try:
            found = os.get_terminal_size(descriptor)
        except OSError:
            continue
        break
    return os.terminal_size(
        int(given) if given.isdecimal() and int(given) else actual or default
        for given, actual, default in zip((columns, lines), found, _FALLBACK, strict=True)
    )


def stdout(width: int | None = None) -> "RichConsole":
    """Return rich's console for stdout, in the width of the terminal by default."""
    from rich.console import Console as RichConsole

    return RichConsole(file=sys.stdout, highlight=False, width=width or terminal_size().columns)


def stderr() -> "RichConsole":
    """Return rich's console for stderr."""
    from rich.console import Console as RichConsole

    return RichConsole(stderr=True, highlight=False, width=terminal_size().columns)


def wrapped(line: str) -> str:
    """Return a line broken at words where it is wider than the terminal."""
    from textwrap import fill

    # Paths and options stay in one piece: the terminal folds what is too long.
    return fill(
        line,
        terminal_size().columns,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def printable(text: str, *, space: str = " ", other: str = "\ufffd") -> str:
    """Return a text, character for character, without those that a terminal would obey."""
    return "".join(
        char if char.isprintable() else space if char.isspace() else other for char in text
    )
