"""Texts with one label each; and what reading whole texts shares, whatever their labels are."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from distilcli.errors import InputError
from distilcli.gold import cells
from distilcli.gold.columns import gold_column, pair_column
from distilcli.gold.labels import LabelError, label_indices, ordered
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row
from distilcli.tasks.spec import TASKS
from distilcli.tasks.texts import text_at
from distilcli.training.datasets.base import DatasetOptions, Place, place_of, read_each
from distilcli.training.datasets.split import split
from distilcli.training.mixture import Mixture, TrainingRows, read_all

Label = TypeVar("Label")
Gold = TypeVar("Gold")

UNLABELLED = -100
"""The index of a row without a label, which torch's losses pass over."""

_MIN_ROWS_TO_DOUBT = 10
_FEW = 3


@dataclass(frozen=True, slots=True)
class Examples(Generic[Label]):
    """Texts (with a second text each, for pairs) and their labels.

    A label is an index into `label_names`, or several; without names it is a number. `places` are
    those of the rows in their files.
    """

    texts: list[str]
    pairs: list[str] | None
    labels: list[Label]
    label_names: tuple[str, ...]
    places: Sequence[Place] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class LabelledText(Generic[Gold]):
    """One row as it was read; `gold` is None if it has no label."""

    text: str
    pair: str | None
    gold: Gold | None
    place: Place


def read_dataset(
    train: TrainingRows, valid: RowSource | None, options: DatasetOptions
) -> tuple[Examples[int], Examples[int]]:
    """Read training and validation rows; without `valid` a share of each label's is set aside.

    Raises `InputError` for rows that cannot be learned from.
    """

    def read(source: RowSource, options: DatasetOptions) -> list[LabelledText[str]]:
        column = find_gold(source, "classify", options, taught=options.taught)
        read_label = cells.label_from(column, options.columns)
        return read_texts(source, column, read_label, options, taught=options.taught)

    rows = read_all(train, options, read)
    names = options.known if options.taught else ()
    names = names or _label_names(rows, train, options, alone=valid is None)
    if valid is None:
        rows, aside = split(
            rows, share=options.share, seed=options.seed, stratum_of=lambda row: row.gold
        )
    else:
        aside = read(valid, replace(options, taught=False))
    return tuple(  # type: ignore[return-value]
        _indexed(part, names, source=source.name, taught=options.taught)
        for part, source in ((rows, train), (aside, valid or train))
    )


def find_gold(source: RowSource, task: str, options: DatasetOptions, *, taught: bool) -> str:
    """Return the column with the labels; rows of a model that is `taught` may lack it."""
    columns = options.columns
    taken = [source.text_column]
    return gold_column(source, TASKS[task], columns, taken=taken, may_be_missing=taught)


def read_texts(
    source: RowSource,
    column: str,
    gold_of: cells.Reader[Gold],
    options: DatasetOptions,
    *,
    taught: bool,
) -> list[LabelledText[Gold]]:
    """Read every row with its label, which it may lack if the model is `taught`.

    Raises `InputError` for the first row that cannot be learned from.
    """
    text, pair = source.text_column, pair_column(source, TASKS["classify"], options.columns)
    read_gold: cells.Reader[Gold | None] = cells.if_any(column, gold_of) if taught else gold_of

    def text_of(row: Row) -> LabelledText[Gold]:
        second = None if pair is None else text_at(row, pair)
        return LabelledText(text_at(row, text), second, read_gold(row), place_of(row))

    return read_each(
        source, text_of, what="rows", columns=[text, pair], keep_empty=options.keep_empty
    )


def with_labels(
    rows: Sequence[LabelledText[Gold]], labels: list[Label], names: Sequence[str] = ()
) -> Examples[Label]:
    """Return the texts of rows with these labels."""
    pairs = [row.pair for row in rows if row.pair is not None]
    return Examples(
        texts=[row.text for row in rows],
        pairs=pairs or None,
        labels=labels,
        label_names=tuple(names),
        places=[row.place for row in rows],
    )


def _label_names(
    rows: Sequence[LabelledText[str]], source: TrainingRows, options: DatasetOptions, *, alone: bool
) -> tuple[str, ...]:
    """Return the labels in use; raise `InputError` if there is one, or another for each row.

    Rows that are `alone`, to be split, need more than one of a label anyway.
    """
    labels = [row.gold for row in rows if row.gold is not None]
    names = set(labels)
    if len(names) < 2:  # noqa: PLR2004
        raise LabelError(
            f"{source.name}: every row has the label {''.join(names)!r}; a classifier needs at "
            "least two; name another `label_column`, or give rows with others"
        )
    refuse_unique(labels, source, "classify", options, least=_FEW if alone else _MIN_ROWS_TO_DOUBT)
    given = options.columns.labels or options.columns.label_columns
    return ordered(names, options.known, given=given)


def refuse_unique(
    labels: Sequence[str],
    source: TrainingRows,
    task: str,
    options: DatasetOptions,
    *,
    least: int = _MIN_ROWS_TO_DOUBT,
) -> None:
    """Raise `InputError` if no label comes twice in more than `least`: they are ids or the like."""
    if len(set(labels)) == len(labels) > least:
        column = (
            "label"
            if isinstance(source, Mixture)
            else find_gold(source, task, options, taught=options.taught)
        )
        raise InputError(
            f"{source.name}: {column!r} has {len(labels):,} values in {len(labels):,} rows: is it "
            "the label? If not, name another `label_column`"
        )


def _indexed(
    rows: Sequence[LabelledText[str]], names: Sequence[str], *, source: str, taught: bool
) -> Examples[int]:
    used = {row.gold for row in rows if row.gold is not None}
    index = label_indices(names, used, source=source, taught=taught)
    labels = [UNLABELLED if row.gold is None else index[row.gold] for row in rows]
    return with_labels(rows, labels, names)
