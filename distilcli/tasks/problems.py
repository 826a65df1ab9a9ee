"""Multiple-choice problems read from rows: a prompt and its options."""

from collections.abc import Callable, Sequence

from distilcli.errors import InputError, RowError, UsageError
from distilcli.rows.lists import parsed
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_text, cell_value, is_blank
from distilcli.tasks.choose import Options, Problem
from distilcli.tasks.texts import text_at


def find_options(
    source: RowSource,
    prompt_column: str,
    *,
    options_column: str | None,
    option_columns: Sequence[str] = (),
    otherwise: str = "name it with `options_column`",
) -> tuple[list[str], Callable[[Row], Options]]:
    """Return the columns with options, and the function that takes them from a row.

    They are a list in `options_column`, by default `options`, or one in each of `option_columns`.
    `otherwise` is the way out for a file without such a column. Raises `InputError` for a column
    that does not exist, `UsageError` for a single one.
    """
    if option_columns:
        columns = [source.find_column(name) for name in option_columns]
        if len(columns) < 2:  # noqa: PLR2004
            raise UsageError(f"`option_columns` {option_columns[0]!r}: name at least two columns")
        return columns, options_from_columns(columns)
    column = source.usual_column("options", option="`options_column`", wanted=options_column)
    if column == prompt_column:
        raise InputError(f"{source.name}: no column with options; {otherwise}")
    return [column], options_from_list(column)


def problems_from(
    prompt_column: str, options_of: Callable[[Row], Options]
) -> Callable[[Row], Problem]:
    """Return the function that takes prompt and options from a row."""
    return lambda row: (text_at(row, prompt_column), options_of(row))


def texts_of_problem(problem: Problem) -> tuple[str, str]:
    """Return the prompt and the options as two texts."""
    prompt, options = problem
    return prompt, "\n".join(option or "" for option in options)


def options_from_list(column: str) -> Callable[[Row], Options]:
    """Return the function that takes options from a list of texts, also as JSON in a cell.

    It raises `RowError` for anything else.
    """

    def options_of(row: Row) -> Options:
        value = cell_value(row, column)
        if isinstance(value, str):
            value = parsed(value)
        if isinstance(value, list) and all(isinstance(option, str) for option in value):
            return value
        raise RowError(
            f"{row.source}: line {row.line}: the value at {column!r} is not a JSON list of texts "
            '(["one", "two"])'
        )

    return options_of


def options_from_columns(columns: Sequence[str]) -> Callable[[Row], Options]:
    """Return the function that takes an option from each column, None from an empty cell."""

    def options_of(row: Row) -> Options:
        return [_option(row, column) for column in columns]

    return options_of


def _option(row: Row, column: str) -> str | None:
    value = cell_value(row, column)
    is_empty = value is None or (isinstance(value, str) and is_blank(value))
    return None if is_empty else cell_text(row, column)
