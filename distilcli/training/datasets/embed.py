"""Pairs of texts that belong together, maybe with a hard negative, or that have a score."""

from dataclasses import dataclass, field, replace

from distilcli.errors import InputError, RowError, UsageError
from distilcli.gold.cells import number_of, where
from distilcli.gold.columns import Columns, negative_column, pair_column, text_column
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row
from distilcli.tasks.spec import TASKS
from distilcli.tasks.texts import text_at
from distilcli.training.datasets.base import DatasetOptions, Place, place_of, read_each
from distilcli.training.datasets.split import split

_TASK = TASKS["embed"]
_SCORE_COLUMNS = ("score", "similarity")


@dataclass(frozen=True, slots=True)
class TextPair:
    """Two texts and their similarity on the data's scale, None if they belong together.

    A text without a second one is for a teacher alone. The `negative` is a text that is easily
    taken for the second one (a hard negative). `place` is that of the row in its file.
    """

    first: str
    second: str | None
    score: float | None = None
    negative: str | None = None
    place: Place | None = field(default=None, compare=False, repr=False)

    @property
    def texts(self) -> list[str]:
        """The one, two or three texts."""
        return [text for text in (self.first, self.second, self.negative) if text is not None]


def read_dataset(
    train: RowSource, valid: RowSource | None, options: DatasetOptions
) -> tuple[list[TextPair], list[TextPair]]:
    """Read training and validation pairs; without `valid` a share is set aside.

    They have a score if a label column is named, or a column is called score or similarity. Only
    training pairs have negatives. The training rows of a model that is taught may be single texts.
    Raises `InputError` for rows that cannot be learned from, and `UsageError` for a column of
    negatives that has no effect.
    """
    columns = options.columns
    alone = options.taught and valid is not None and not _has_pairs(train, columns)
    scored = valid if alone and valid is not None else train
    columns = replace(columns, label_column=columns.label_column or _score_column(scored))
    keep = options.keep_empty
    if alone and columns.negative_column is not None:
        raise UsageError("`negative_column` has no effect on texts without a second one; drop it")
    negative = None if alone else _negative_column(train, columns)
    rows = _read_texts(train, columns, keep) if alone else _read(train, columns, keep, negative)
    if valid is None:
        rows, aside = split(rows, share=options.share, seed=options.seed)
    else:
        aside = _read(valid, columns, keep)
    for pairs, source in ((rows, train), (aside, valid or train)):
        scores = {pair.score for pair in pairs if pair.second is not None}
        if columns.label_column is not None and len(scores) == 1:
            raise InputError(
                f"{source.name}: every pair has the score {scores.pop():g}; there is nothing to "
                "rank"
            )
    return rows, aside


def _score_column(source: RowSource) -> str | None:
    by_lower = {name.lower(): name for name in reversed(source.columns)}
    return next((by_lower[name] for name in _SCORE_COLUMNS if name in by_lower), None)


def _has_pairs(source: RowSource, columns: Columns) -> bool:
    usual = any(name.lower() in _TASK.pair_columns for name in source.columns)
    return usual or columns.pair_column in source.columns


def _read_texts(source: RowSource, columns: Columns, keep_empty: bool) -> list[TextPair]:
    column = text_column(source, _TASK, columns)

    def text_of(row: Row) -> TextPair:
        return TextPair(text_at(row, column), None, place=place_of(row))

    return read_each(source, text_of, what="texts", columns=[column], keep_empty=keep_empty)


def _read(
    source: RowSource, columns: Columns, keep_empty: bool, negative: str | None = None
) -> list[TextPair]:
    first = text_column(source, _TASK, columns)
    second = pair_column(source, _TASK, columns) or ""
    if first == second:
        raise InputError(
            f"{source.name}: the first and the second text are both in {first!r}; "
            "name the second with `pair_column`"
        )
    label = columns.label_column
    score_of = None if label is None else number_of(source.find_column(label))

    def pair_of(row: Row) -> TextPair:
        texts = text_at(row, first), text_at(row, second)
        score = None if score_of is None else score_of(row)
        other = None if negative is None else text_at(row, negative)
        if other == texts[1]:
            raise RowError(f"{where(row, negative or '')}: is the second text of the pair too")
        return TextPair(*texts, score, other, place_of(row))

    read = [first, second, negative]
    return read_each(source, pair_of, what="pairs", columns=read, keep_empty=keep_empty)


def _negative_column(source: RowSource, columns: Columns) -> str | None:
    """Return the column with the hard negatives; scored pairs have none."""
    if columns.label_column is None:
        return negative_column(source, _TASK, columns)
    if columns.negative_column is not None:
        raise UsageError(
            "`negative_column` has no effect on pairs with a score; give pairs without one"
        )
    return None
