"""Questions in rows: where question and context stand, and answers by the rows' ids."""

from collections.abc import Callable, Sequence

from distilcli.engine.task import Outcome
from distilcli.errors import InputError, RowError
from distilcli.rows.row import Row, cell_text, cell_value
from distilcli.tasks.qa import Answers, Pair


def pairs_from(
    *, question_column: str | None, context_column: str | None, fixed: str = ""
) -> Callable[[Row], Pair]:
    """Return the function that takes question and context from a row's columns.

    What has no column (None) is `fixed`, the same for every row.
    """

    def pair_of(row: Row) -> Pair:
        if row.error is not None:
            raise RowError(row.error)
        question = fixed if question_column is None else cell_text(row, question_column)
        context = fixed if context_column is None else cell_text(row, context_column)
        return question, context

    return pair_of


def predictions(block: Sequence[Outcome[Row, Answers]], id_column: str) -> list[tuple[str, str]]:
    """Return the id and the best answer of each row; it is empty where there is none.

    Raises `InputError` for a row that was answered and has no id.
    """
    found = []
    for outcome in block:
        row, answers = outcome.item, outcome.value
        if cell_value(row, id_column) is not None:
            text = "" if answers is None else answers.answer
            found.append((cell_text(row, id_column), text))
        elif answers is not None:
            raise InputError(
                f"{row.source}: line {row.line}: no value at {id_column!r}; predictions go by it"
            )
    return found
