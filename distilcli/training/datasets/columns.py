"""Where in a row stands what is learned from."""

from collections.abc import Sequence
from dataclasses import dataclass

from distilcli.errors import InputError
from distilcli.rows.reader import RowSource


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


def find_label_column(
    source: RowSource, usual: Sequence[str], wanted: str | None, *, may_be_missing: bool
) -> str:
    """Return the column with what is learned: `wanted`, or the first of the `usual` that is there.

    One that may be missing need not be there: later rows may have it, where each names its own
    columns. Raises `InputError` for another.
    """
    try:
        return source.usual_column(*usual, option="--label-column", wanted=wanted)
    except InputError:
        if not may_be_missing:
            raise
        return wanted or usual[0]
