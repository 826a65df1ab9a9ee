"""Multiple-choice problems with the option that is right."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase

from distilcli.errors import InputError, RowError
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_text, cell_value
from distilcli.rows.usual import CHOICE_COLUMNS
from distilcli.tasks.choose import Problem, check_options
from distilcli.tasks.problems import find_options, find_prompt, problems_from
from distilcli.training.data.columns import Columns, find_label_column
from distilcli.training.data.labelled import UNLABELLED
from distilcli.training.data.reading import Place, place_of
from distilcli.training.data.split import set_aside


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
    answers: list[str | None] = []
    for row in source:
        try:
            problems.append(_checked(problem_of, row))
            answers.append(_answer(row, answer, may_be_missing=may_lack_answers))
        except RowError as error:
            raise InputError(str(error)) from None
        rows.append(row)
    if not rows:
        raise InputError(f"{source.name}: has no problems to learn from")
    solved = zip(rows, problems, _numbers(rows, problems, answers, answer), strict=True)
    return [
        SolvedProblem(
            prompt, tuple(options), _existing(row, options, number, answer), place_of(row)
        )
        for row, (prompt, options), number in solved
    ]


def _answer(row: Row, column: str, *, may_be_missing: bool) -> str | None:
    is_missing = cell_value(row, column) is None or not cell_text(row, column).strip()
    return None if is_missing and may_be_missing else cell_text(row, column).strip()


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


def _numbers(
    rows: Sequence[Row], problems: Sequence[Problem], answers: Sequence[str | None], column: str
) -> list[int]:
    """Return the number of each answer, which all rows say in one way.

    That is the text of the option, its letter (A, B, …), or its number from 0: the first of these
    that fits every row. Raises `InputError` for the first row that no way fits.
    """
    furthest = 0
    for way in (_by_text, _by_letter, _by_number):
        found: list[int] = []
        for (_, options), answer in zip(problems, answers, strict=True):
            number = UNLABELLED if answer is None else way(options, answer)
            if number is None:
                break
            found.append(number)
        if len(found) == len(rows):
            return found
        furthest = max(furthest, len(found))
    row = rows[furthest]
    raise InputError(
        f"{row.source}: line {row.line}, column {column!r}: {answers[furthest]!r} is neither the "
        "text of an option, nor its letter (A, B, …), nor its number (from 0), as the same in all "
        "rows"
    )


def _by_text(options: Sequence[str | None], answer: str) -> int | None:
    texts = [None if option is None else option.strip() for option in options]
    return texts.index(answer) if answer in texts else None


def _by_letter(options: Sequence[str | None], answer: str) -> int | None:
    letters = ascii_uppercase[: len(options)]
    return letters.index(answer.upper()) if len(answer) == 1 and answer.upper() in letters else None


def _by_number(options: Sequence[str | None], answer: str) -> int | None:
    return int(answer) if answer.isdecimal() and int(answer) < len(options) else None


def _existing(row: Row, options: Sequence[str | None], number: int, column: str) -> int:
    if number != UNLABELLED and options[number] is None:
        raise InputError(
            f"{row.source}: line {row.line}, column {column!r}: option {number} (from 0) is empty"
        )
    return number
