"""Questions with their contexts and answers: SQuAD JSON, or rows with a column for each."""

import random
from dataclasses import dataclass

from distilcli.errors import InputError, RowError
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_text, cell_value
from distilcli.rows.usual import ANSWER_COLUMNS
from distilcli.training.data.columns import Columns
from distilcli.training.data.labelled import UNLABELLED

START_COLUMNS = ("answer_start", "start")


@dataclass(frozen=True, slots=True)
class Question:
    """A question and its context; the first of its `answers` begins at the character `start`.

    Without an answer `answers` is empty and `start` None; where nobody says whether there is one,
    `start` is `UNLABELLED`.
    """

    question: str
    context: str
    answers: tuple[str, ...]
    start: int | None

    @property
    def pair(self) -> tuple[str, str]:
        """Question and context, as a model reads them."""
        return self.question, self.context


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
    answer = _answer_column(source, columns.label, may_be_missing=may_lack_answers)
    start = next((name for name in START_COLUMNS if name in source.columns), None)
    rows = []
    for row in source:
        if row.error is not None:
            raise InputError(row.error)
        try:
            pair = cell_text(row, question), cell_text(row, context)
        except RowError as error:
            raise InputError(str(error)) from None
        if may_lack_answers and cell_value(row, answer) is None:
            rows.append(Question(*pair, (), UNLABELLED))
        else:
            rows.append(Question(*pair, *_answers(row, answer, start, pair[1])))
    if not rows:
        raise InputError(f"{source.name}: has no questions to learn from")
    return rows


def _answer_column(source: RowSource, wanted: str | None, *, may_be_missing: bool) -> str:
    try:
        return source.usual_column(*ANSWER_COLUMNS, option="--label-column", wanted=wanted)
    except InputError:
        if not may_be_missing:
            raise
        return (
            wanted or ANSWER_COLUMNS[0]
        )  # later rows may have it, where each names its own columns


def _answers(
    row: Row, answer: str, start_column: str | None, context: str
) -> tuple[tuple[str, ...], int | None]:
    value = cell_value(row, answer)
    given = None if start_column is None else cell_value(row, start_column)
    if isinstance(value, list):  # SQuAD's list of objects
        pairs = [(item["text"], item.get("answer_start")) for item in value]
    elif value in {None, ""}:
        pairs = []
    else:
        pairs = [(cell_text(row, answer), given)]
    if not pairs:
        return (), None
    text, start = pairs[0]
    place = -1 if start in {None, ""} else int(start)
    if place < 0 or context[place : place + len(text)] != text:
        place = context.find(text)
    if place < 0:
        raise InputError(
            f"{row.source}: line {row.line}: the answer {text!r} is not in the context"
        )
    return tuple(text for text, _ in pairs), place


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
