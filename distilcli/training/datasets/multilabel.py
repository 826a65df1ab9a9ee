"""Rows with any number of labels each: a list of them, or a cell with a sign between them."""

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd

from distilcli.errors import InputError, RowError
from distilcli.gold.columns import SEVERAL_COLUMNS
from distilcli.rows.lists import listed
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_value
from distilcli.training.datasets.classify import (
    UNLABELLED,
    Examples,
    numbered,
    read_frame,
    with_labels,
)
from distilcli.training.datasets.split import set_aside

SEPARATOR = ","
WITHOUT = (UNLABELLED,)
"""The labels of a row of which nobody said what it has."""


def read_multilabel(
    train: RowSource,
    valid: RowSource | None,
    *,
    label_column: str | None,
    pair_column: str | None,
    separator: str,
    share: float,
    seed: int,
    known: Sequence[str],
    taught: bool = False,
) -> tuple[Examples[tuple[int, ...]], Examples[tuple[int, ...]]]:
    """Read rows to learn from and rows to validate on.

    Without `valid`, a `share` of the rows is set aside. `known` are the labels of the model to
    start from; where the lesson is `taught`, they are the teacher's, and rows to learn from may
    have no value, which is not that of an empty cell or list: that says that no label fits. Raises
    `InputError` for rows that cannot be learned from.
    """
    read = partial(
        read_frame,
        label_column=label_column,
        pair_column=pair_column,
        usual=SEVERAL_COLUMNS,
    )
    labels_of = labels_split_at(separator)
    label_of = labels_if_any(labels_of) if taught else labels_of
    frame = read(train, label_of=label_of, may_lack_labels=taught)
    is_told = taught and known
    names = tuple(known) if is_told else _names(frame, known=known, source=train.name)
    if valid is None:
        is_labelled = frame["label"].notna().tolist()
        kept, aside = set_aside(
            range(len(frame)), share=share, seed=seed, is_labelled=is_labelled.__getitem__
        )
        frame, valid_frame = frame.iloc[kept], frame.iloc[aside]
    else:
        valid_frame = read(valid, label_of=labels_of)
    return (
        _indexed(frame, names, source=train.name, taught=taught),
        _indexed(valid_frame, names, source=(valid or train).name, taught=taught),
    )


def labels_split_at(separator: str) -> Callable[[Row, str], tuple[str, ...]]:
    """Return the function that reads the labels of a cell, each once; an empty one has none.

    It raises `RowError` for what is neither a text nor a list of texts.
    """

    def labels(row: Row, column: str) -> tuple[str, ...]:
        value = cell_value(row, column)
        items = value if isinstance(value, list) else [value or ""]
        if not all(isinstance(item, str) for item in items):
            raise RowError(
                f"{row.source}: line {row.line}: the value at {column!r} is no list of labels"
            )
        return tuple(dict.fromkeys(listed(value, separator)))

    return labels


def labels_if_any(
    labels_of: Callable[[Row, str], tuple[str, ...]],
) -> Callable[[Row, str], tuple[str, ...] | None]:
    """Return the function that does the same where there is a value, and else returns None."""

    def labels(row: Row, column: str) -> tuple[str, ...] | None:
        return None if cell_value(row, column) is None else labels_of(row, column)

    return labels


def _names(frame: pd.DataFrame, *, known: Sequence[str], source: str) -> tuple[str, ...]:
    names = _used(frame)
    if not names:
        raise InputError(f"{source}: no row has a label; there is nothing to learn")
    return tuple(known) if names == set(known) else tuple(sorted(names))


def _indexed(
    frame: pd.DataFrame, names: tuple[str, ...], *, source: str, taught: bool
) -> Examples[tuple[int, ...]]:
    number = numbered(names, _used(frame), source=source, taught=taught)
    indices = [
        WITHOUT if labels is None else tuple(sorted(number[label] for label in labels))
        for labels in frame["label"]
    ]
    return with_labels(frame, indices, names)


def _used(frame: pd.DataFrame) -> set[str]:
    return {label for labels in frame["label"] for label in labels or ()}
