"""Plain texts, for masked-language modelling."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row
from distilcli.tasks.texts import text_at
from distilcli.training.datasets.base import (
    DatasetOptions,
    Place,
    place_of,
    read_each,
    refuse_empty,
)
from distilcli.training.datasets.split import split


@dataclass(frozen=True, slots=True)
class PlainTexts:
    """Texts, none of them empty, and the places of their rows."""

    texts: list[str]
    places: Sequence[Place] | None = field(default=None, compare=False)


Placed = tuple[str, Place]


def read_dataset(
    train: RowSource, valid: RowSource | None, options: DatasetOptions
) -> tuple[PlainTexts, PlainTexts]:
    """Read training and validation texts; without `valid` a share of the texts is set aside.

    Raises `InputError` for rows that cannot be read, and if all are empty.
    """
    refuse_empty(options, "an empty text has no word to hide")
    rows = _read(train)
    if valid is None:
        rows, aside = split(rows, share=options.share, seed=options.seed)
    else:
        aside = _read(valid)
    first, second = (
        PlainTexts([text for text, _ in part], [place for _, place in part])
        for part in (rows, aside)
    )
    return first, second


def _read(source: RowSource) -> list[Placed]:
    column = source.text_column

    def text_of(row: Row) -> Placed:
        return text_at(row, column), place_of(row)

    return read_each(
        source, text_of, what="texts", columns=[column], keep_empty=False, may_be_kept=False
    )
