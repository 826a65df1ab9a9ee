"""Rows set aside for validation, when no file is given for it."""

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

from distilcli.errors import InputError

Row = TypeVar("Row")


def set_aside(
    rows: Sequence[Row],
    *,
    share: float,
    seed: int,
    is_labelled: Callable[[Row], object] = lambda _: True,
) -> tuple[list[Row], list[Row]]:
    """Set a `share` of the rows aside, at least one; return (those to learn from, those aside).

    Only rows with a label may be set aside. The order of rows is kept. Raises `InputError` where
    no such row would be left.
    """
    labelled = [place for place, row in enumerate(rows) if is_labelled(row)]
    if not labelled:
        raise InputError("no row has a label to validate on; give --valid a file")
    count = max(1, round(share * len(labelled)))
    if count >= len(labelled):
        raise InputError(
            f"{len(labelled)} rows are too few to set {share:.0%} aside; give --valid a file"
        )
    aside = set(random.Random(seed).sample(labelled, count))
    return (
        [row for place, row in enumerate(rows) if place not in aside],
        [rows[place] for place in sorted(aside)],
    )
