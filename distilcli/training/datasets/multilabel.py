"""Texts with any number of labels each."""

from collections.abc import Sequence
from dataclasses import replace

from distilcli.errors import InputError
from distilcli.gold import cells
from distilcli.gold.labels import label_indices, ordered
from distilcli.gold.multilabel import label_lists
from distilcli.rows.reader import RowSource
from distilcli.training.datasets.base import DatasetOptions
from distilcli.training.datasets.classify import (
    UNLABELLED,
    Examples,
    LabelledText,
    find_gold,
    read_texts,
    refuse_unique,
    with_labels,
)
from distilcli.training.datasets.split import split
from distilcli.training.mixture import TrainingRows, read_all

WITHOUT = (UNLABELLED,)
"""The labels of a row that does not say which it has."""

Rows = Sequence[LabelledText[list[str]]]


def read_dataset(
    train: TrainingRows, valid: RowSource | None, options: DatasetOptions
) -> tuple[Examples[tuple[int, ...]], Examples[tuple[int, ...]]]:
    """Read training and validation rows; without `valid` a share is set aside.

    A row of a model that is taught may have no value, which is not that of an empty cell or list:
    that says that no label applies. Raises `InputError` for rows that cannot be learned from.
    """

    def read(source: RowSource, options: DatasetOptions) -> list[LabelledText[list[str]]]:
        taught, columns = options.taught, options.columns
        column = find_gold(source, "multilabel", options, taught=taught)
        read_cell = cells.label_cell_of(column, columns)
        rows = read_texts(source, column, read_cell, options, taught=taught)
        written = [row.gold for row in rows if row.gold is not None]
        lists = iter(
            label_lists(
                written, separator=columns.label_separator, names=columns.labels, source=source.name
            )
        )
        return [
            LabelledText(row.text, row.pair, None if row.gold is None else next(lists), row.place)
            for row in rows
        ]

    columns = options.columns
    rows = read_all(train, options, read)
    names = options.known if options.taught else columns.label_columns or columns.labels
    names = names or ordered(_used(rows), options.known)
    if not names:
        raise InputError(f"{train.name}: no row has a label; there is nothing to learn")
    if all(len(row.gold or ()) <= 1 for row in rows):
        given = [label for row in rows for label in row.gold or ()]
        refuse_unique(given, train, "multilabel", options)
    if valid is None:
        rows, aside = split(
            rows, share=options.share, seed=options.seed,
            stratum_of=lambda row: None if row.gold is None else True,
        )  # fmt: skip
    else:
        aside = read(valid, replace(options, taught=False))
    return (
        _indexed(rows, names, source=train.name, taught=options.taught),
        _indexed(aside, names, source=(valid or train).name, taught=options.taught),
    )


def _indexed(
    rows: Rows, names: Sequence[str], *, source: str, taught: bool
) -> Examples[tuple[int, ...]]:
    index = label_indices(names, _used(rows), source=source, taught=taught)
    labels = [
        WITHOUT if row.gold is None else tuple(sorted(index[label] for label in row.gold))
        for row in rows
    ]
    return with_labels(rows, labels, names)


def _used(rows: Rows) -> set[str]:
    return {label for row in rows for label in row.gold or ()}
