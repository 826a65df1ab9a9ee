"""Pairs of texts that belong together, or that have a number that says how much."""

from dataclasses import dataclass, field, replace

from distilcli.errors import InputError
from distilcli.gold.columns import FIRST_COLUMNS, SECOND_COLUMNS
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_text
from distilcli.training.datasets.columns import Columns
from distilcli.training.datasets.reading import Place, place_of, read_each
from distilcli.training.datasets.regress import number
from distilcli.training.datasets.split import set_aside

_SCORE_COLUMNS = ("score", "similarity")


@dataclass(frozen=True, slots=True)
class TextPair:
    """Two texts, and how much alike they are on the data's scale; None: they belong together.

    A text without a second one is there for a teacher alone. `place` is where the row stands.
    """

    first: str
    second: str | None
    score: float | None = None
    place: Place | None = field(default=None, compare=False, repr=False)

    @property
    def texts(self) -> list[str]:
        """The one or two texts."""
        return [self.first] if self.second is None else [self.first, self.second]


def read_pairs(
    train: RowSource,
    valid: RowSource | None,
    *,
    columns: Columns,
    share: float,
    seed: int,
    taught: bool = False,
) -> tuple[list[TextPair], list[TextPair]]:
    """Read pairs to learn from and pairs to validate on.

    They have a score where a label column is named, or a column is called score or similarity.

    Without `valid`, a `share` of the pairs is set aside. Where the lesson is `taught`, rows to
    learn from may be single texts. Raises `InputError` for rows that cannot be learned from.
    """
    alone = taught and valid is not None and not _has_pairs(train, columns.pair)
    scored = valid if alone and valid is not None else train
    columns = replace(columns, label=columns.label or _score_column(scored))
    rows = _read_texts(train, columns.text) if alone else _read(train, columns)
    if valid is None:
        rows, aside = set_aside(rows, share=share, seed=seed)
    else:
        aside = _read(valid, columns)
    for pairs, source in ((rows, train), (aside, valid or train)):
        if pairs is rows and alone:
            continue
        scores = {pair.score for pair in pairs}
        if columns.label is not None and len(scores) == 1:
            raise InputError(
                f"{source.name}: every pair has the score {scores.pop():g}; there is nothing to "
                "rank"
            )
    return rows, aside


def _score_column(source: RowSource) -> str | None:
    by_lower = {name.lower(): name for name in reversed(source.columns)}
    return next((by_lower[name] for name in _SCORE_COLUMNS if name in by_lower), None)


def _has_pairs(source: RowSource, pair_column: str | None) -> bool:
    usual = any(name.lower() in SECOND_COLUMNS for name in source.columns)
    return usual or pair_column in source.columns


def _read_texts(source: RowSource, text_column: str | None) -> list[TextPair]:
    name = source.usual_column(*FIRST_COLUMNS, option="--text-column", wanted=text_column)

    def text_of(row: Row) -> TextPair:
        return TextPair(cell_text(row, name), None, place=place_of(row))

    return read_each(source, text_of, what="texts")


def _read(source: RowSource, columns: Columns) -> list[TextPair]:
    first = source.usual_column(*FIRST_COLUMNS, option="--text-column", wanted=columns.text)
    second = source.usual_column(*SECOND_COLUMNS, option="--pair-column", wanted=columns.pair)
    if first == second:
        raise InputError(
            f"{source.name}: the first and the second text are both in {first!r}; "
            "name the second with --pair-column"
        )
    score = None if columns.label is None else source.find_column(columns.label)

    def pair_of(row: Row) -> TextPair:
        texts = cell_text(row, first), cell_text(row, second)
        return TextPair(*texts, None if score is None else number(row, score), place_of(row))

    return read_each(source, pair_of, what="pairs")
