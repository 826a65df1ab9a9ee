"""Labelled rows: read with their labels, checked, and split for validation."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import pandas as pd

from distilcli.errors import InputError, RowError
from distilcli.gold.columns import LABEL_COLUMNS
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_text, cell_value
from distilcli.training.datasets.reading import Place, place_of
from distilcli.training.datasets.unknown_labels import refuse_unknown

Label = TypeVar("Label")

_NUMBER = re.compile(r"[-+]?\d+")

UNLABELLED = -100
"""The index of a row without a label, which torch's losses pass over."""


@dataclass(frozen=True, slots=True)
class Examples(Generic[Label]):
    """Texts (with a second text each, for pairs) and what each one is labelled with.

    That is the index of its label in `label_names`; or the indices of several; or, where there
    are no names, a number. `places` are where the rows stand.
    """

    texts: list[str]
    pairs: list[str] | None
    labels: list[Label]
    label_names: tuple[str, ...]
    places: Sequence[Place] | None = field(default=None, compare=False)


def read_examples(
    train: RowSource,
    valid: RowSource | None,
    *,
    label_column: str | None,
    pair_column: str | None,
    share: float,
    seed: int,
    known: Sequence[str],
    taught: bool = False,
) -> tuple[Examples[int], Examples[int]]:
    """Read rows to learn from and rows to validate on.

    Without `valid`, a `share` of each label's rows is set aside. `known` are the labels of the
    model to start from; where the lesson is `taught`, they are the teacher's, and rows to learn
    from may have no label. Raises `InputError` for rows that cannot be learned from.
    """
    columns: dict[str, Any] = {"label_column": label_column, "pair_column": pair_column}
    label_of = label_if_any if taught else label_text
    train_frame = read_frame(train, **columns, label_of=label_of, may_lack_labels=taught)
    names = tuple(known) if taught and known else label_names(train_frame, known=known)
    if valid is None:
        labelled = train_frame[train_frame["label"] != ""]
        _, valid_frame = split(labelled, share=share, seed=seed)
        train_frame = train_frame.drop(valid_frame.index)
    else:
        valid_frame = read_frame(valid, **columns)
    return (
        as_examples(train_frame, names, source=train.name, taught=taught),
        as_examples(valid_frame, names, source=(valid or train).name, taught=taught),
    )


def label_text(row: Row, column: str) -> str:
    """Return the one label of a row, without blanks around it; `RowError` for an empty cell."""
    label = cell_text(row, column).strip()
    if not label:
        raise RowError(
            f"{row.source}: line {row.line}, column {column!r}: the label is empty; "
            "every row to learn from needs one"
        )
    return label


def label_if_any(row: Row, column: str) -> str:
    """Return the label of a row; an empty text where there is none."""
    return "" if cell_value(row, column) is None else cell_text(row, column).strip()


def read_frame(
    source: RowSource,
    *,
    label_column: str | None,
    pair_column: str | None,
    label_of: Callable[[Row, str], Any] = label_text,
    usual: Sequence[str] = LABEL_COLUMNS,
    may_lack_labels: bool = False,
) -> pd.DataFrame:
    """Read every row into a frame of `text`, `label`, `place` and, for pairs, `pair`.

    `label_column` None takes the first column with one of the `usual` names; `label_of` reads its
    cells. Rows that `may_lack_labels` need no such column. Raises `InputError` naming the file and
    the line of the first row that cannot be learned from.
    """
    label = _label_column(source, label_column, usual, may_be_missing=may_lack_labels)
    wanted = {"text": source.text_column}
    if pair_column is not None:
        wanted["pair"] = source.find_column(pair_column)
    cells: dict[str, list[Any]] = {name: [] for name in (*wanted, "label", "place")}
    for row in source:
        if row.error is not None:
            raise InputError(row.error)
        try:
            for name, column in wanted.items():
                cells[name].append(cell_text(row, column))
            cells["label"].append(label_of(row, label))
            cells["place"].append(place_of(row))
        except RowError as error:
            raise InputError(str(error)) from None
    frame: pd.DataFrame = pd.DataFrame(cells)
    if frame.empty:
        raise InputError(f"{source.name}: has no rows to learn from")
    return frame


def label_names(frame: pd.DataFrame, *, known: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the labels of a frame in the order that a model's outputs will have.

    The order of `known`, a model's labels, is kept if they are the same ones; else the order is
    that of the alphabet, or of numbers. Raises `InputError` where there is one label only.
    """
    names = set(frame["label"]) - {""}
    if len(names) < 2:  # noqa: PLR2004
        source, _ = frame["place"].iloc[0]
        raise InputError(
            f"{source}: every row has the label {''.join(names)!r}; a classifier needs at least "
            "two; name another --label-column, or give rows with others"
        )
    if names == set(known):
        return tuple(known)
    if all(_NUMBER.fullmatch(name) for name in names):
        # 7 and 07 are two labels of one value: the text decides between them.
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def split(frame: pd.DataFrame, *, share: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Set a share of every label's rows aside for validation; return (train, valid).

    The order of rows is kept. Raises `InputError` where the share leaves a part empty.
    """
    if frame.empty:
        raise InputError("no row has a label to validate on; give a validation file with --valid")
    valid = frame.groupby("label").sample(frac=share, random_state=seed).sort_index()
    train = frame.drop(valid.index)
    if valid.empty or train.empty:
        raise InputError(
            f"{len(frame)} rows are too few to set {share:.0%} of each label aside; "
            "give a validation file with --valid"
        )
    return train, valid


def as_examples(
    frame: pd.DataFrame, names: tuple[str, ...], *, source: str, taught: bool = False
) -> Examples[int]:
    """Turn labels into their places in `names`; raise `InputError` for one that has none."""
    used = set(frame["label"]) - {""}
    number = numbered(names, used, source=source, taught=taught) | {"": UNLABELLED}
    return with_labels(frame, [number[label] for label in frame["label"]], names)


def numbered(
    names: Sequence[str], used: set[str], *, source: str, taught: bool = False
) -> dict[str, int]:
    """Return the index of every label; raise `InputError` for one in use that has none."""
    refuse_unknown(used, names, source=source, taught=taught)
    return {name: index for index, name in enumerate(names)}


def with_labels(
    frame: pd.DataFrame, labels: list[Label], names: tuple[str, ...] = ()
) -> Examples[Label]:
    """Return the texts of a frame with these labels."""
    return Examples(
        texts=frame["text"].tolist(),
        pairs=frame["pair"].tolist() if "pair" in frame else None,
        labels=labels,
        label_names=names,
        places=frame["place"].tolist(),
    )


def _label_column(
    source: RowSource, wanted: str | None, usual: Sequence[str], *, may_be_missing: bool
) -> str:
    if wanted is not None:
        return wanted if may_be_missing else source.find_column(wanted)
    columns = source.columns
    by_lower = {name.lower(): name for name in reversed(columns)}
    found = next((by_lower[name] for name in usual if name in by_lower), None)
    if found is None and may_be_missing:
        return usual[0]  # later rows may have it, where each names its own columns
    if found is None:
        raise InputError(
            f"no label column found in {source.name}; name it with --label-column "
            f"(columns: {', '.join(columns)})"
        )
    return found
