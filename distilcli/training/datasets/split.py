"""Training rows set aside for validation."""

import random
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from distilcli.errors import InputError

Row = TypeVar("Row")


def split(
    rows: Sequence[Row],
    *,
    share: float,
    seed: int,
    stratum_of: Callable[[Row], Hashable] = lambda _: True,
    group_of: Callable[[Row], Hashable] | None = None,
    unit: str = "row",
) -> tuple[list[Row], list[Row]]:
    """Set a `share` of the rows of every stratum aside; return (training rows, those set aside).

    Rows of one group stay together. A row with the stratum None is never set aside, nor is its
    group. The order of rows is kept. At least one `unit` (row or group) is set aside. Where all
    strata are too small for a share of each, it is a share of all: one from each of some. Raises
    `InputError` if a part would be empty.
    """
    groups: dict[Hashable, list[int]] = {}
    for index, row in enumerate(rows):
        groups.setdefault(index if group_of is None else group_of(row), []).append(index)
    strata: dict[Hashable, list[list[int]]] = {}
    for indices in groups.values():
        of_group = [stratum_of(rows[index]) for index in indices]
        if None not in of_group:
            strata.setdefault(of_group[0], []).append(indices)
    if not strata:
        raise InputError(f"no {unit} has a label to validate on; give a `valid` file")
    chooser, aside = random.Random(seed), set[int]()
    for candidates in strata.values():
        count = round(share * len(candidates))
        count = max(1, count) if len(strata) == 1 else count
        for indices in chooser.sample(candidates, count):
            aside.update(indices)
    total = sum(map(len, strata.values()))
    if not aside and (several := [found for found in strata.values() if len(found) > 1]):
        count = min(max(1, round(share * total)), len(several))
        for candidates in chooser.sample(several, count):
            aside.update(chooser.choice(candidates))
    if not aside or aside.issuperset(i for group in strata.values() for g in group for i in g):
        units = f"1 {unit} is" if total == 1 else f"{total:,} {unit}s are"
        each = " of each label" if len(strata) > 1 else ""
        raise InputError(f"{units} too few to set {share:.0%}{each} aside; give a `valid` file")
    return (
        [row for index, row in enumerate(rows) if index not in aside],
        [rows[index] for index in sorted(aside)],
    )
