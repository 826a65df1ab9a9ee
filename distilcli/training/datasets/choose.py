"""Multiple-choice problems with the option that is right."""

from collections.abc import Callable
from dataclasses import dataclass, field

from distilcli.errors import InputError, RowError
from distilcli.gold.choices import Solution, right_options, solution_of
from distilcli.gold.columns import CHOICE_COLUMNS
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_text, cell_value
from distilcli.tasks.choose import Problem, check_options
from distilcli.tasks.problems import find_options, find_prompt, problems_from
from distilcli.training.datasets.classify import UNLABELLED
from distilcli.training.datasets.columns import Columns, find_label_column
from distilcli.training.datasets.reading import Place, place_of
from distilcli.training.datasets.split import set_aside


@dataclass(frozen=True, slots=True)
class SolvedProblem:
    """A prompt, its options (None where there is none in its place), and the right one's number.

    `answer` is UNLABELLED where nobody said which is right. `place` is where the row stands.
    """

    prompt: str
    options: tuple[str | None, ...]
    answer: int
    place: Place | None = field(default=None, compare=False, repr=False)

    @property
    def problem(self) -> Problem:
        """The prompt with its options."""
        return self.prompt, self.options


def read_problems(
    train: RowSource,
    valid: RowSource | None,
    *,
    columns: Columns,
    share: float,
    seed: int,
    taught: bool = False,
) -> tuple[list[SolvedProblem], list[SolvedProblem]]:
    """Read problems to learn from and problems to validate on.

    Without `valid`, a `share` of the problems is set aside. Where the lesson is `taught`, problems
    to learn from may lack their answers. Raises `InputError` for rows that cannot be learned from.
    """
    rows = _read(train, columns, may_lack_answers=taught)
    if valid is None:
        return set_aside(rows, share=share, seed=seed, is_labelled=_is_solved)
    return rows, _read(valid, columns)


def _is_solved(problem: SolvedProblem) -> bool:
    return problem.answer != UNLABELLED


def _read(
    source: RowSource, columns: Columns, *, may_lack_answers: bool = False
) -> list[SolvedProblem]:
    prompt = find_prompt(source, columns.text)
    _, options_of = find_options(
        source,
        prompt,
        options_column=columns.options,
        option_columns=columns.option_list or None,
    )
    answer = find_label_column(
        source, CHOICE_COLUMNS, columns.label, may_be_missing=may_lack_answers
    )
    problem_of = problems_from(prompt, options_of)
    rows: list[Row] = []
    problems: list[Problem] = []
    solutions: list[Solution | None] = []
    for row in source:
        try:
            problems.append(_checked(problem_of, row))
            solutions.append(_solution(row, problems[-1], answer, may_be_missing=may_lack_answers))
        except RowError as error:
            raise InputError(str(error)) from None
        rows.append(row)
    if not rows:
        raise InputError(f"{source.name}: has no problems to learn from")
    numbers = iter(right_options([solution for solution in solutions if solution is not None]))
    return [
        SolvedProblem(
            prompt,
            tuple(options),
            UNLABELLED if solution is None else next(numbers),
            place_of(row),
        )
        for row, (prompt, options), solution in zip(rows, problems, solutions, strict=True)
    ]


def _solution(row: Row, problem: Problem, column: str, *, may_be_missing: bool) -> Solution | None:
    if may_be_missing and (cell_value(row, column) is None or not cell_text(row, column).strip()):
        return None
    place = f"{row.source}: line {row.line}, column {column!r}"
    return solution_of(cell_text(row, column), problem[1], place=place)


def _checked(problem_of: Callable[[Row], Problem], row: Row) -> Problem:
    prompt, options = problem_of(row)
    place = f"{row.source}: line {row.line}"
    if not prompt.strip():
        raise RowError(f"{place}: the prompt is empty")
    try:
        check_options(options)
    except RowError as error:
        raise RowError(f"{place}: {error}") from None
    return prompt, options
