"""Where in a row stands what is learned from."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """The columns that the user named; each task looks for usual names where there is None.

    `pair` is the second text of a pair, or the context of a question. `options` holds a list of
    options, `option_list` are columns with one each. `separator` stands between the labels of a
    cell that may have several.
    """

    text: str | None = None
    pair: str | None = None
    label: str | None = None
    options: str | None = None
    option_list: tuple[str, ...] = ()
    separator: str | None = None
