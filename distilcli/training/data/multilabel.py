"""Rows with any number of labels each: a list of them, or a cell with a sign between them."""

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd

from distilcli.errors import InputError, RowError
from distilcli.rows.lists import listed
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_value
from distilcli.rows.usual import SEVERAL_COLUMNS
from distilcli.training.data.labelled import Examples, numbered, read_frame, with_labels
from distilcli.training.data.split import set_aside

SEPARATOR = ","


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
) -> tuple[Examples[tuple[int, ...]], Examples[tuple[int, ...]]]:
    """Read rows to learn from and rows to validate on.

    Without `valid`, a `share` of the rows is set aside. `known` are the labels of the model to
    start from. Raises `InputError` for rows that cannot be learned from.
    """
    read = partial(
        read_frame,
        label_column=label_column,
        pair_column=pair_column,
        label_of=labels_split_at(separator),
        usual=SEVERAL_COLUMNS,
    )
    frame = read(train)
    names = _names(frame, known=known, source=train.name)
    if valid is None:
        kept, aside = set_aside(range(len(frame)), share=share, seed=seed)
        frame, valid_frame = frame.iloc[kept], frame.iloc[aside]
    else:
        valid_frame = read(valid)
    return (
        _indexed(frame, names, source=train.name),
        _indexed(valid_frame, names, source=(valid or train).name),
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


def _names(frame: pd.DataFrame, *, known: Sequence[str], source: str) -> tuple[str, ...]:
    names = {label for labels in frame["label"] for label in labels}
    if not names:
        raise InputError(f"{source}: no row has a label; there is nothing to learn")
    return tuple(known) if names == set(known) else tuple(sorted(names))


def _indexed(
    frame: pd.DataFrame, names: tuple[str, ...], *, source: str
) -> Examples[tuple[int, ...]]:
    used = {label for labels in frame["label"] for label in labels}
    number = numbered(names, used, source=source)
    indices = [tuple(sorted(number[label] for label in labels)) for labels in frame["label"]]
    return with_labels(frame, indices, names)
