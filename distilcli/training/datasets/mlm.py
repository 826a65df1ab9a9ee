"""Plain texts, for masked-language modelling."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from distilcli.errors import InputError
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_text
from distilcli.training.datasets.base import DatasetOptions, Place, place_of, read_each
from distilcli.training.datasets.split import split


@dataclass(frozen=True, slots=True)
class PlainTexts:
    """Texts, empty ones too, and the places of their rows."""

    texts: list[str]
    places: Sequence[Place] | None = field(default=None, compare=False)

    @property
    def used(self) -> list[str]:
        """The texts to learn from: those that are not empty."""
        return [text for text in self.texts if text.strip()]


Placed = tuple[str, Place]


def read_dataset(
    train: RowSource, valid: RowSource | None, options: DatasetOptions
) -> tuple[PlainTexts, PlainTexts]:
    """Read training and validation texts; without `valid` a share of the texts is set aside.

    Raises `InputError` for rows that cannot be read, and if all are empty.
    """
    rows = _read(train)
    if valid is None:
        rows, aside = split(
            rows, share=options.share, seed=options.seed,
            stratum_of=lambda row: True if row[0].strip() else None,
        )  # fmt: skip
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
        return cell_text(row, column), place_of(row)

    rows = read_each(source, text_of, what="texts")
    if not any(text.strip() for text, _ in rows):
        raise InputError(f"{source.name}: has no texts to learn from")
    return rows
