"""Tables on stdout: as wide as the terminal, with column names that are never broken."""

import sys
from collections.abc import Iterable, Mapping, Sequence

from distilcli.console.terminal import plain_table, printable, stdout, terminal_size, text
from distilcli.wording import listing

BAR = "━"
_BAR_WIDTH = 12
_GAP = 2  # spaces between two columns
_MIN_COLUMNS, _MIN_ROWS = 4, 5
_OTHER_LINES = 8  # title, header, notes and the prompt
_SHORT_TEXT, _LONG_TEXT = 20, 60  # longer text is folded to keep columns, also optional ones
_NUMBER_STARTS = "0123456789+-<"
_UNLIMITED = 10_000


def print_table(
    title: str,
    names: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    styles: Mapping[int, str] | None = None,
    optional: Sequence[str] = (),
    last_apart: bool = False,
    cropped: bool = False,
) -> None:
    """Print rows under `names`; a column without a name holds bars.

    `styles` are of rows, by index. On a terminal, columns without room are left out and named
    below the table: first empty and `optional` ones, then bars, then from the right.
    With `cropped`, the rows beyond the height of the terminal are left out and counted.
    """
    most = max(_MIN_ROWS, terminal_size().lines - _OTHER_LINES)
    more = len(rows) - most if cropped and sys.stdout.isatty() else 0
    if more > 0:
        rows = rows[:most]
    cells = [[for_people(cell) for cell in row] for row in rows]
    is_number = [bool(name) and _holds_numbers(rows, at) for at, name in enumerate(names)]
    empty = [n for at, n in enumerate(names) if n and all(row[at] is None for row in rows)]
    columns = _columns_that_fit(names, cells, is_number, dict.fromkeys([*empty, *optional]))
    table = plain_table()
    for at in columns:
        # A number, a bar and each word of a name stay in one piece; text may be folded.
        table.add_column(
            names[at], justify="right" if is_number[at] else "left", overflow="fold",
            no_wrap=is_number[at] or not names[at],
            min_width=max(map(len, names[at].split()), default=0),
        )  # fmt: skip
    for index, row in enumerate(cells):
        if last_apart and index == len(cells) - 1:
            table.add_section()
        shown = [text(row[at], "cyan" if row[at].startswith(BAR) else "") for at in columns]
        table.add_row(*shown, style=(styles or {}).get(index, ""))
    # A table in a file is never cut.
    console = stdout(None if sys.stdout.isatty() else _UNLIMITED)
    console.print(text(title, "bold"))
    console.print(table)
    if more > 0:
        console.print(text(f"… and {more:,} more; the csv format has them all", "dim"))
    if hidden := [name for at, name in enumerate(names) if name and at not in columns]:
        rest = f"columns not shown: {listing(hidden)}; a wider terminal or the csv format has them"
        console.print(text(f"… {rest}", "dim"))


def for_people(cell: object) -> str:
    """Return a cell as people read it."""
    if cell is None:
        return "-"
    if isinstance(cell, int):
        return f"{cell:,}"
    return f"{cell:.3f}" if isinstance(cell, float) else printable(str(cell))


def bar(share: float | None, width: int = _BAR_WIDTH) -> str:
    """Return a bar for a share of 0 to 1, never an empty one."""
    return "" if share is None else BAR * max(1, round(min(1.0, share) * width))


def _holds_numbers(rows: Sequence[Sequence[object]], at: int) -> bool:
    """Tell whether a column holds numbers, or text that starts with one (`1.2 (1.1 to 1.3)`)."""
    cells = [row[at] for row in rows if row[at] not in {"", "-"}]
    return all(
        cell[:1] in _NUMBER_STARTS
        if isinstance(cell, str)
        else isinstance(cell, int | float | None)
        for cell in cells
    )


def _columns_that_fit(
    names: Sequence[str],
    cells: Sequence[Sequence[str]],
    is_number: Sequence[bool],
    optional: Iterable[str],
) -> list[int]:
    """Return the indices of the columns that there is room for."""
    columns = list(range(len(names)))
    if not sys.stdout.isatty():
        return columns
    widths = [max(map(len, (name, *(row[at] for row in cells)))) for at, name in enumerate(names)]
    is_text = [bool(name) and not is_number[at] for at, name in enumerate(names)]

    def is_too_wide(most_text: int) -> bool:
        needed = [min(widths[at], most_text) if is_text[at] else widths[at] for at in columns]
        return sum(needed) + _GAP * (len(needed) - 1) > terminal_size().columns

    for at in [names.index(name) for name in optional]:
        if is_too_wide(_LONG_TEXT):
            columns.remove(at)
    bars, others = [at for at in columns if not names[at]], [at for at in columns if names[at]]
    for at in [*bars, *reversed(others)]:
        if len(columns) > _MIN_COLUMNS and is_too_wide(_SHORT_TEXT):
            columns.remove(at)
    return columns
