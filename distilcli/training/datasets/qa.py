"""Questions with their contexts and answers: SQuAD JSON, or rows with a column for each."""

import random
from dataclasses import dataclass, field

from distilcli.errors import InputError, RowError
from distilcli.gold.cells import answers
from distilcli.gold.columns import ANSWER_COLUMNS
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_text, cell_value
from distilcli.training.datasets.classify import UNLABELLED
from distilcli.training.datasets.columns import Columns, find_label_column
from distilcli.training.datasets.reading import Place, place_of, read_each

MISSING = -1
"""The start of an answer that is not in its context: nothing can be learned from it."""

START_COLUMNS = ("answer_start", "start")


@dataclass(frozen=True, slots=True)
class Question:
    """A question and its context; the first of its `answers` begins at the character `start`.

    Without an answer `answers` is empty and `start` None. `start` is UNLABELLED where nobody said
    whether there is an answer, and MISSING where the answer is not in the context. `said` is where
    the row says that it begins, `place` where the row stands.
    """

    question: str
    context: str
    answers: tuple[str, ...]
    start: int | None
    said: int | None = None
    place: Place | None = field(default=None, compare=False, repr=False)

    @property
    def pair(self) -> tuple[str, str]:
        """Question and context, as a model reads them."""
        return self.question, self.context

    @property
    def is_usable(self) -> bool:
        """Whether there is something to learn: both texts, and the answer if one is said."""
        return self.start != MISSING and bool(self.question.strip() and self.context.strip())


def read_questions(
    train: RowSource,
    valid: RowSource | None,
    *,
    columns: Columns,
    share: float,
    seed: int,
    taught: bool = False,
) -> tuple[list[Question], list[Question]]:
    """Read questions to learn from and questions to validate on.

    Without `valid`, the questions of a `share` of the contexts are set aside. Where the lesson is
    `taught`, questions to learn from may lack their answers. Raises `InputError` for rows that
    cannot be learned from.
    """
    rows = read(train, columns, may_lack_answers=taught)
    return _split(rows, share=share, seed=seed) if valid is None else (rows, read(valid, columns))


def read(source: RowSource, columns: Columns, *, may_lack_answers: bool = False) -> list[Question]:
    """Read every question; raises `InputError` for one without a text or a context.

    Answers that are missing, though they may be, are not those of an empty cell or list, which
    says that there is none.
    """
    question = source.usual_column("question", option="--text-column", wanted=columns.text)
    context = source.usual_column("context", option="--pair-column", wanted=columns.pair)
    answer = find_label_column(
        source, ANSWER_COLUMNS, columns.label, may_be_missing=may_lack_answers
    )
    start = next((name for name in START_COLUMNS if name in source.columns), None)

    def question_of(row: Row) -> Question:
        pair = cell_text(row, question), cell_text(row, context)
        if may_lack_answers and cell_value(row, answer) is None:
            return Question(*pair, (), UNLABELLED, place=place_of(row))
        return _question(row, *pair, _given(row, answer, start), start or answer)

    return read_each(source, question_of, what="questions")


def _question(
    row: Row, question: str, context: str, given: list[tuple[str, object]], start_column: str
) -> Question:
    """Make a question of its answers and the places that are said of them, which may be wrong."""
    if not given:
        return Question(question, context, (), None, place=place_of(row))
    text, start = given[0]
    said = None if start in (None, "") else _whole_number(row, start_column, start)
    place = -1 if said is None else said
    if place < 0 or not context.startswith(text, place):
        place = context.find(text)
    texts = tuple(text for text, _ in given)
    return Question(question, context, texts, place, said, place_of(row))


def _given(row: Row, answer: str, start_column: str | None) -> list[tuple[str, object]]:
    """Return each answer with the place that is given for it: beside it, or in a column."""
    value = cell_value(row, answer)
    found = [] if value is None else answers(row, answer, value)
    if start_column is None or isinstance(value, list | dict):
        return found
    return [
        (text, cell_value(row, start_column) if start is None else start) for text, start in found
    ]


def _whole_number(row: Row, column: str, value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise RowError(
            f"{row.source}: line {row.line}, column {column!r}: {value!r} is no whole number"
        ) from None


def _split(
    rows: list[Question], *, share: float, seed: int
) -> tuple[list[Question], list[Question]]:
    # A context of which some questions lack their answers is one to learn from.
    unlabelled = {row.context for row in rows if row.start == UNLABELLED}
    contexts = list(dict.fromkeys(row.context for row in rows if row.context not in unlabelled))
    if not contexts:
        raise InputError("no context has answers to validate on; give --valid a file")
    count = max(1, round(share * len(contexts)))
    if count >= len(contexts):
        raise InputError(
            f"{len(contexts)} contexts are too few to set {share:.0%} aside; give --valid a file"
        )
    aside = set(random.Random(seed).sample(contexts, count))
    return (
        [row for row in rows if row.context not in aside],
        [row for row in rows if row.context in aside],
    )
