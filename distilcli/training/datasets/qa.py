"""Questions with their contexts and answers: SQuAD JSON, or rows with a column for each."""

from dataclasses import dataclass, field

from distilcli.errors import RowError
from distilcli.gold import cells
from distilcli.gold.columns import gold_column, pair_column, text_column
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_value
from distilcli.tasks.spec import TASKS
from distilcli.tasks.texts import text_at
from distilcli.training.datasets.base import DatasetOptions, Place, place_of, read_each
from distilcli.training.datasets.classify import UNLABELLED
from distilcli.training.datasets.split import split

MISSING = -1
"""The start of an answer that is not in its context: nothing can be learned from it."""

START_COLUMNS = ("answer_start", "start")


@dataclass(frozen=True, slots=True)
class Question:
    """A question and its context; the first of its `answers` begins at the character `start`.

    Without an answer `answers` is empty and `start` None. `start` is UNLABELLED if the row does not
    say whether there is an answer, and MISSING if the answer is not in the context. `said` is where
    the row says that it begins, `place` that of the row in its file.
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
        """Whether there is something to learn: both texts, and the answer if one is given."""
        return self.start != MISSING and bool(self.question.strip() and self.context.strip())


def read_dataset(
    train: RowSource, valid: RowSource | None, options: DatasetOptions
) -> tuple[list[Question], list[Question]]:
    """Read training and validation questions; without `valid` some contexts are set aside.

    Questions of a model that is taught may lack their answers, which an empty cell or list does
    not: that says that there is none. Raises `InputError` for rows that cannot be learned from.
    """
    rows = _read(train, options, taught=options.taught)
    if valid is not None:
        return rows, _read(valid, options)
    return split(
        rows,
        share=options.share,
        seed=options.seed,
        stratum_of=lambda row: None if row.start == UNLABELLED else True,
        group_of=lambda row: row.context,
        unit="context",
    )


def _read(source: RowSource, options: DatasetOptions, *, taught: bool = False) -> list[Question]:
    task, columns = TASKS["qa"], options.columns
    question = text_column(source, task, columns)
    context = pair_column(source, task, columns) or ""
    answer = gold_column(source, task, columns, taken=[question, context], may_be_missing=taught)
    start = next((name for name in START_COLUMNS if name in source.columns), None)

    def question_of(row: Row) -> Question:
        pair = text_at(row, question), text_at(row, context)
        if taught and cell_value(row, answer) is None:
            return Question(*pair, (), UNLABELLED, place=place_of(row))
        given = cells.answers(row, answer)
        if not given:
            return Question(*pair, (), None, place=place_of(row))
        text, said = given[0]
        # A cell of its own says where a text begins; a list of objects says it beside each.
        if said is None and start and not isinstance(cell_value(row, answer), list | dict):
            said = cell_value(row, start)
        number = None if said in (None, "") else _whole_number(row, start or answer, said)
        texts = tuple(text for text, _ in given)
        return Question(*pair, texts, _start(pair[1], text, number), number, place_of(row))

    return read_each(
        source, question_of, what="questions", columns=[question, context],
        keep_empty=options.keep_empty,
    )  # fmt: skip


def _start(context: str, text: str, said: int | None) -> int:
    """Return where the answer begins, `said` if it is there; MISSING if it is nowhere."""
    if said is not None and said >= 0 and context.startswith(text, said):
        return said
    return context.find(text)


def _whole_number(row: Row, column: str, value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise RowError(
            f"{row.source}: line {row.line}, column {column!r}: {value!r} is not a whole number"
        ) from None
