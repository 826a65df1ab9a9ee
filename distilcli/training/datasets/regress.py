"""Rows with a number each."""

import math
from functools import partial

from distilcli.errors import InputError
from distilcli.gold.cells import finite
from distilcli.gold.columns import NUMBER_COLUMNS
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_text, cell_value
from distilcli.training.datasets.classify import Examples, read_frame, with_labels
from distilcli.training.datasets.split import set_aside


def read_numbers(
    train: RowSource,
    valid: RowSource | None,
    *,
    label_column: str | None,
    pair_column: str | None,
    share: float,
    seed: int,
    taught: bool = False,
) -> tuple[Examples[float], Examples[float]]:
    """Read rows to learn from and rows to validate on.

    Without `valid`, a `share` of the rows is set aside. Where the lesson is `taught`, rows to
    learn from may have no number: theirs is NaN. Raises `InputError` for rows that cannot be
    learned from, and where all numbers are one that no teacher tells apart.
    """
    read = partial(
        read_frame, label_column=label_column, pair_column=pair_column, usual=NUMBER_COLUMNS
    )
    frame = read(train, label_of=number_if_any if taught else number, may_lack_labels=taught)
    if valid is None:
        is_labelled = frame["label"].notna().tolist()
        kept, aside = set_aside(
            range(len(frame)), share=share, seed=seed, is_labelled=is_labelled.__getitem__
        )
        frame, valid_frame = frame.iloc[kept], frame.iloc[aside]
    else:
        valid_frame = read(valid, label_of=number)
    for rows, source in ((frame, train), (valid_frame, valid or train)):
        if rows["label"].nunique() == 1 and not (taught and rows is frame):
            raise InputError(
                f"{source.name}: every row has the number {rows['label'].iloc[0]:g}, among "
                f"{len(rows)} rows; there is nothing to tell apart"
            )
    return with_labels(frame, frame["label"].tolist()), with_labels(
        valid_frame, valid_frame["label"].tolist()
    )


def number_if_any(row: Row, column: str) -> float:
    """Return the number in a cell, NaN if the cell is empty or missing."""
    is_missing = cell_value(row, column) is None or not cell_text(row, column).strip()
    return math.nan if is_missing else number(row, column)


def number(row: Row, column: str) -> float:
    """Return the number in a cell; raise `InputError` where it holds none."""
    return finite(row, column, cell_text(row, column))
