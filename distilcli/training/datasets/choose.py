"""Multiple-choice problems with their right options."""

from dataclasses import dataclass, field

from distilcli.errors import RowError
from distilcli.gold import cells
from distilcli.gold.choices import Solution, right_options
from distilcli.gold.columns import gold_column, text_column
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row
from distilcli.tasks.choose import Problem, check_options
from distilcli.tasks.problems import find_options, problems_from
from distilcli.tasks.spec import TASKS
from distilcli.training.datasets.base import DatasetOptions, Place, place_of, read_each
from distilcli.training.datasets.classify import UNLABELLED
from distilcli.training.datasets.split import split


@dataclass(frozen=True, slots=True)
class SolvedProblem:
    """A prompt, its options (None in a place without one), and the index of the right one.

    `answer` is UNLABELLED if the row does not say which is right. `place` is that of the row in
    its file.
    """

    prompt: str
    options: tuple[str | None, ...]
    answer: int
    place: Place | None = field(default=None, compare=False, repr=False)

    @property
    def problem(self) -> Problem:
        """The prompt with its options."""
        return self.prompt, self.options


def read_dataset(
    train: RowSource, valid: RowSource | None, options: DatasetOptions
) -> tuple[list[SolvedProblem], list[SolvedProblem]]:
    """Read training and validation problems; without `valid` a share is set aside.

    Problems of a model that is taught may lack their answers. Raises `InputError` for rows that
    cannot be learned from.
    """
    rows = _read(train, options, taught=options.taught)
    if valid is not None:
        return rows, _read(valid, options)
    return split(
        rows,
        share=options.share,
        seed=options.seed,
        stratum_of=lambda row: None if row.answer == UNLABELLED else True,
    )


def _read(
    source: RowSource, options: DatasetOptions, *, taught: bool = False
) -> list[SolvedProblem]:
    task, columns = TASKS["choose"], options.columns
    prompt = text_column(source, task, columns)
    taken, options_of = find_options(
        source,
        prompt,
        options_column=columns.options_column,
        option_columns=columns.option_columns,
    )
    label = gold_column(source, task, columns, taken=[prompt, *taken], may_be_missing=taught)
    problem_of = problems_from(prompt, options_of)
    solution_of = cells.choice_of(label, options_of)
    read_solution = cells.if_any(label, solution_of) if taught else solution_of

    def solved(row: Row) -> tuple[Problem, Solution | None, Place]:
        problem = problem_of(row)
        try:
            check_options(problem[1])
        except RowError as error:
            raise RowError(f"{row.source}: line {row.line}: {error}") from None
        return problem, read_solution(row), place_of(row)

    rows = read_each(
        source, solved, what="problems", columns=[prompt], keep_empty=options.keep_empty
    )
    indices = iter(right_options([solution for _, solution, _ in rows if solution is not None]))
    return [
        SolvedProblem(
            prompt, tuple(options), UNLABELLED if solution is None else next(indices), place
        )
        for (prompt, options), solution, place in rows
    ]
