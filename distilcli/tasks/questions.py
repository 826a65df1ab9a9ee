"""Questions and contexts read from rows, and answers by the ids of rows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from distilcli.rows.outcome import Outcome
from distilcli.rows.row import Row, cell_text, cell_value
from distilcli.tasks.qa import Answers, Pair
from distilcli.tasks.texts import text_at


def pairs_from(
    *,
    question_column: str | None,
    context_column: str | None,
    id_column: str | None = None,
    fixed: str = "",
) -> Callable[[Row], Pair]:
    """Return the function that takes question and context from the columns of a row.

    The one without a column (None) is `fixed` for every row. With `id_column` a row needs an id as
    well.
    """

    def pair_of(row: Row) -> Pair:
        question = fixed if question_column is None else text_at(row, question_column)
        context = fixed if context_column is None else text_at(row, context_column)
        if id_column is not None:
            cell_text(row, id_column)  # raises if it has none
        return question, context

    return pair_of


def best_answers(
    blocks: Iterator[list[Outcome[Row, Answers]]], count: int
) -> Iterator[list[Outcome[Row, Answers]]]:
    """Yield one block: the `count` answers with the highest scores of all rows, the best first.

    A row without an answer gives none. Of equal scores the first wins. Memory holds `count` rows
    and a block.
    """
    best: list[tuple[float, Outcome[Row, Answers]]] = []
    for block in blocks:
        for row in block:
            if row.value is None or row.value.best.start is None:
                continue
            for answer in row.value.ranked:
                value = replace(row.value, ranked=(answer,))
                best.append((answer.score, replace(row, value=value)))
        best.sort(key=lambda scored: -scored[0])
        del best[count:]
    yield [row for _, row in best]


def predictions(block: Sequence[Outcome[Row, Answers]], id_column: str) -> list[tuple[str, str]]:
    """Return the id and the best answer of each row that has an id; a failed row's is empty."""
    return [
        (cell_text(outcome.item, id_column), "" if outcome.value is None else outcome.value.answer)
        for outcome in block
        if cell_value(outcome.item, id_column) is not None
    ]
