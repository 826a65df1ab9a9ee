"""How counts, lists, times and sizes read in a sentence; for messages of every layer."""

from collections.abc import Iterable

_SMALL_SHARE = 0.005
_MINUTE = 60
_MANY_HOURS = 48


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: `1 row`, `1,503 rows`, `2 rows have`.

    `many` is the plural; by default `one` with an s.
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listing(names: Iterable[str], *, most: int = 8) -> str:
    """Return names with commas between them: `a, b, c`; the last of many are counted instead."""
    every = list(names)
    if len(every) <= most + 1:  # "and 1 more" is as long as the name
        return ", ".join(every)
    return f"{', '.join(every[:most])} and {len(every) - most:,} more"


def duration(seconds: float) -> str:
    """Return a time: `40 ms`, `3.2 s`, `1 min 05 s`, `2 h 01 min`, `12 d 03 h`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    hours, minutes = divmod(minutes, 60)
    if hours >= _MANY_HOURS:
        return f"{hours // 24:,} d {hours % 24:02} h"
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def mebibytes(size: int) -> str:
    """Return a size in bytes: `487 MiB`."""
    return f"{size / 2**20:,.0f} MiB"


def bytes_of(size: int) -> str:
    """Return a size in bytes, with three digits, in the unit that suits it: `1.21 TiB`."""
    units = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")
    step = min(len(units) - 1, max(0, (size.bit_length() - 1) // 10))
    return f"{digits(size / 1024**step) if step else size} {units[step]}"


def digits(value: float) -> str:
    """Return a number with three significant digits, or all those before the point."""
    decimals = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3  # noqa: PLR2004
    return f"{value:,.{decimals}f}"


def percent(share: float) -> str:
    """Return a probability: `52%`; a small one is `<1%`, never 0."""
    return "<1%" if 0 < share < _SMALL_SHARE else f"{share:.0%}"
