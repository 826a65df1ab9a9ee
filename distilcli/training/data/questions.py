"""Questions with their contexts and answers: SQuAD JSON, or rows with a column for each."""

import random
from dataclasses import dataclass

from distilcli.errors import InputError, RowError
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_text, cell_value
from distilcli.rows.usual import ANSWER_COLUMNS
from distilcli.training.data.columns import Columns

START_COLUMNS = ("answer_start", "start")


@dataclass(frozen=True, slots=True)
class Question:
    """A question and its context; the first of its `answers` begins at the character `start`.

    Without an answer `answers` is empty and `start` None.
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
    train: RowSource, valid: RowSource | None, *, columns: Columns, share: float, seed: int
) -> tuple[list[Question], list[Question]]:
    """Read questions to learn from and questions to validate on.

    Without `valid`, the questions of a `share` of the contexts are set aside. Raises `InputError`
    for rows that cannot be learned from.
    """
    rows = read(train, columns)
    return _split(rows, share=share, seed=seed) if valid is None else (rows, read(valid, columns))


def read(source: RowSource, columns: Columns) -> list[Question]:
    """Read every question; raises `InputError` for one that cannot be learned from."""
    question = source.usual_column("question", option="--text-column", wanted=columns.text)
    context = source.usual_column("context", option="--pair-column", wanted=columns.pair)
    answer = source.usual_column(*ANSWER_COLUMNS, option="--label-column", wanted=columns.label)
    start = next((name for name in START_COLUMNS if name in source.columns), None)
    rows = []
    for row in source:
        if row.error is not None:
            raise InputError(row.error)
        try:
            pair = cell_text(row, question), cell_text(row, context)
            rows.append(Question(*pair, *_answers(row, answer, start, pair[1])))
        except RowError as error:
            raise InputError(str(error)) from None
    if not rows:
        raise InputError(f"{source.name}: has no questions to learn from")
    return rows


def _answers(
    row: Row, answer: str, start_column: str | None, context: str
) -> tuple[tuple[str, ...], int | None]:
    """Return the answers of a row and where the first begins; raises `RowError` for bad ones."""
    given = _given(row, answer, start_column)
    if not given:
        return (), None
    text, start = given[0]
    place = -1 if start in (None, "") else _whole_number(row, start_column or answer, start)
    if place < 0 or context[place : place + len(text)] != text:
        place = context.find(text)
    if place < 0:
        raise RowError(f"{row.source}: line {row.line}: the answer {text!r} is not in the context")
    return tuple(text for text, _ in given), place


def _given(row: Row, answer: str, start_column: str | None) -> list[tuple[str, object]]:
    """Return each answer with the place that is given for it: of a list as SQuAD has it, or one."""
    value = cell_value(row, answer)
    if value is None or value == "":
        return []
    if not isinstance(value, list):
        start = None if start_column is None else cell_value(row, start_column)
        return [(cell_text(row, answer), start)]
    if not all(isinstance(item, dict) and isinstance(item.get("text"), str) for item in value):
        raise RowError(
            f"{row.source}: line {row.line}: the value at {answer!r} is no list of answers "
            '({"text": …, "answer_start": …})'
        )
    return [(item["text"], item.get("answer_start")) for item in value]


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
    contexts = list(dict.fromkeys(row.context for row in rows))
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
