"""Texts with a number each."""

import math
from dataclasses import replace

from distilcli.errors import InputError
from distilcli.gold import cells
from distilcli.rows.reader import RowSource
from distilcli.training.datasets.base import DatasetOptions
from distilcli.training.datasets.classify import (
    Examples,
    LabelledText,
    find_gold,
    read_texts,
    with_labels,
)
from distilcli.training.datasets.split import split
from distilcli.training.mixture import TrainingRows, read_all


def read_dataset(
    train: TrainingRows, valid: RowSource | None, options: DatasetOptions
) -> tuple[Examples[float], Examples[float]]:
    """Read training and validation rows; without `valid` a share is set aside.

    A row of a model that is taught may have no number: its label is NaN. Raises `InputError` for
    rows that cannot be learned from, and if all numbers are the same and no teacher gives others.
    """

    def read(source: RowSource, options: DatasetOptions) -> list[LabelledText[float]]:
        taught = options.taught
        column = find_gold(source, "regress", options, taught=taught)
        return read_texts(source, column, cells.number_of(column), options, taught=taught)

    rows = read_all(train, options, read)
    if valid is None:
        rows, aside = split(rows, share=options.share, seed=options.seed, stratum_of=_stratum)
    else:
        aside = read(valid, replace(options, taught=False))
    for part, source in ((rows, train), (aside, valid or train)):
        numbers = {row.gold for row in part if row.gold is not None}
        if len(numbers) == 1 and not (options.taught and part is rows):
            raise InputError(
                f"{source.name}: every row has the number {numbers.pop():g}, among {len(part)} "
                "rows; there is nothing to tell apart"
            )
    first, second = (
        with_labels(part, [math.nan if row.gold is None else row.gold for row in part])
        for part in (rows, aside)
    )
    return first, second


def _stratum(row: LabelledText[float]) -> bool | None:
    return None if row.gold is None else True
