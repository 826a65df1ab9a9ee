"""Rows set aside for validation, when no file is given for it."""

import random
from collections.abc import Sequence
from typing import TypeVar

from distilcli.errors import InputError

Row = TypeVar("Row")


def set_aside(rows: Sequence[Row], *, share: float, seed: int) -> tuple[list[Row], list[Row]]:
    """Set a `share` of the rows aside, at least one; return (those to learn from, those aside).

    The order of rows is kept. Raises `InputError` where nothing would be left.
    """
    if not rows:
        raise InputError("no row has a label to validate on; give --valid a file")
    count = max(1, round(share * len(rows)))
    if count >= len(rows):
        raise InputError(
            f"{len(rows)} rows are too few to set {share:.0%} aside; give --valid a file"
        )
    aside = set(random.Random(seed).sample(range(len(rows)), count))
    return (
        [row for place, row in enumerate(rows) if place not in aside],
        [rows[place] for place in sorted(aside)],
    )
