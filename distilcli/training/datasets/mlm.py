"""Plain texts, to learn from as they are."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from distilcli.errors import InputError
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_text
from distilcli.training.datasets.reading import Place, place_of, read_each
from distilcli.training.datasets.split import set_aside


@dataclass(frozen=True, slots=True)
class PlainTexts:
    """Texts as they are, empty ones too, and where they stand."""

    texts: list[str]
    places: Sequence[Place] | None = field(default=None, compare=False)

    @property
    def used(self) -> list[str]:
        """The texts from which something can be learned: those that are not empty."""
        return [text for text in self.texts if text.strip()]


def read_texts(
    train: RowSource, valid: RowSource | None, *, share: float, seed: int
) -> tuple[PlainTexts, PlainTexts]:
    """Read texts to learn from and texts to validate on.

    Without `valid`, a `share` of the texts is set aside, of those that are not empty. Raises
    `InputError` for rows that cannot be read, and where all are empty.
    """
    rows = _read(train)
    if valid is not None:
        return _plain(rows), _plain(_read(valid))
    kept, aside = set_aside(rows, share=share, seed=seed, is_labelled=lambda row: row[0].strip())
    return _plain(kept), _plain(aside)


Placed = tuple[str, Place]


def _read(source: RowSource) -> list[Placed]:
    column = source.text_column

    def text_of(row: Row) -> Placed:
        return cell_text(row, column), place_of(row)

    rows = read_each(source, text_of, what="texts")
    if not any(text.strip() for text, _ in rows):
        raise InputError(f"{source.name}: has no texts to learn from")
    return rows


def _plain(rows: Sequence[Placed]) -> PlainTexts:
    return PlainTexts([text for text, _ in rows], [place for _, place in rows])
