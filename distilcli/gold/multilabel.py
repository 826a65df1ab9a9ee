"""The labels of rows that may have several, written the same way in all of them.

Cells are lists, texts with a separator, or vectors of 0 and 1; all rows together tell which.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from distilcli.errors import InputError, tell
from distilcli.gold.labels import named_number

SEPARATOR = ","
_OTHERS = (";", "|", "\t")
_BITS = {"0": False, "1": True, "0.": False, "1.": True, "0.0": False, "1.0": True}
_BITS_IN_A_TEXT = re.compile(r"\[?\s*[01]\.?0?(?:\s+[01]\.?0?)+\s*\]?")

_DECIMAL = re.compile(r"-?\d*\.?\d+(?:e-?\d+)?|\d+\.")
_BRACKETED = re.compile(r"\s*\[[^][]*\]\s*")


@dataclass(frozen=True, slots=True)
class LabelCell:
    """The labels of a row as they are written, a list or a text, and where."""

    written: list[str] | str
    place: str


def separated(text: str, separator: str) -> list[str]:
    """Return the labels of a text."""
    return [part.strip() for part in text.split(separator) if part.strip()]


def label_lists(
    cells: Sequence[LabelCell], *, separator: str | None, names: Sequence[str], source: str
) -> list[list[str]]:
    """Return the labels of each cell, each once.

    Without a `separator` it is a comma or, if no text has one, that which most texts have. `names`
    are those of labels that are numbers or vectors, in order. Raises `InputError` for vectors
    without names.
    """
    cells = _without_brackets(cells)
    texts = [cell.written for cell in cells if isinstance(cell.written, str)]
    if separator is None:
        separator = _found_separator(texts, source)
    lists = [
        _parts(cell.written, separator) if isinstance(cell.written, str) else cell.written
        for cell in cells
    ]
    if _are_vectors(lists):
        index, vector = next((i, found) for i, found in enumerate(lists) if found)
        if len(names) != len(vector):
            raise InputError(
                f"{cells[index].place}: {', '.join(vector)} are 0 or 1 for each of {len(vector)} "
                f"labels, as in all rows; name these in order with `labels`"
                + (f", which has {len(names)}" if names else " A,B,…")
            )
        return [
            [name for name, bit in zip(names, found, strict=False) if _BITS[bit]] for found in lists
        ]
    if (scores := _scores(lists)) and not names:
        raise InputError(
            f"{source}: labels are numbers such as {scores}; if they are scores, give 1 for each "
            "label that a row has and 0 for the others"
        )
    if names:
        lists = [
            [named_number(label, names, place=cell.place) for label in found]
            for cell, found in zip(cells, lists, strict=True)
        ]
    return [list(dict.fromkeys(found)) for found in lists]


def _without_brackets(cells: Sequence[LabelCell]) -> list[LabelCell]:
    """Remove the brackets of lists without quotes, `[a, b]`, if all texts have them."""
    texts = [cell.written for cell in cells if isinstance(cell.written, str) and cell.written]
    all_lists = all(map(_BRACKETED.fullmatch, texts)) and any(SEPARATOR in text for text in texts)
    return [
        LabelCell(cell.written.strip()[1:-1], cell.place)
        if all_lists and isinstance(cell.written, str)
        else cell
        for cell in cells
    ]


def _parts(text: str, separator: str) -> list[str]:
    if _BITS_IN_A_TEXT.fullmatch(text.strip()):
        return text.strip(" []").split()
    return separated(text, separator)


def _found_separator(texts: Sequence[str], source: str) -> str:
    """Return the separator of labels; say so if it is not the usual one."""
    filled = [text for text in texts if text.strip()]
    if any(SEPARATOR in text for text in filled):
        return SEPARATOR
    for separator in _OTHERS:
        if 2 * sum(separator in text for text in filled) >= max(2, len(filled)):
            tell(
                f"{source}: labels are separated by {separator!r}; name another separator with "
                "`label_separator`"
            )
            return separator
    if odd := next((text for text in filled if re.search(r"[;|\t/+&]", text)), None):
        tell(
            f"{source}: no row has two labels; if {odd!r} is more than one, name what separates "
            "them with `label_separator`"
        )
    return SEPARATOR


def _are_vectors(lists: Sequence[Sequence[str]]) -> bool:
    """Whether all rows have equally many numbers, at least two, each 0 or 1."""
    lengths = {len(found) for found in lists if found}
    return len(lengths) == 1 and max(lengths) > 1 and all(b in _BITS for f in lists for b in f)


def _scores(lists: Sequence[Sequence[str]]) -> str | None:
    """Return a fraction if all rows have equally many numbers, so that they look like scores."""
    lengths = {len(found) for found in lists if found}
    labels = [label for found in lists for label in found]
    if len(lengths) != 1 or lengths == {1} or not all(map(_DECIMAL.fullmatch, labels)):
        return None
    return next((label for label in labels if not float(label).is_integer()), None)
