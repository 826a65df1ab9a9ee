"""How counts, lists, times and sizes read in a sentence; for messages of every layer."""

from collections.abc import Iterable

_SMALL_SHARE = 0.005
_MINUTE = 60


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
    """Return a time: `40 ms`, `3.2 s`, `1 min 05 s`, `2 h 01 min`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def mebibytes(size: int) -> str:
    """Return a size in bytes: `487 MiB`."""
    return f"{size / 2**20:,.0f} MiB"


def percent(share: float) -> str:
    """Return a probability: `52%`; a small one is `<1%`, never 0."""
    return "<1%" if 0 < share < _SMALL_SHARE else f"{share:.0%}"
