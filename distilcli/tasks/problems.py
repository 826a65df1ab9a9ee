"""Multiple-choice problems in rows: where the prompt stands, and where its options."""

import json
from collections.abc import Callable, Sequence

from distilcli.errors import RowError
from distilcli.rows.row import Row, cell_text, cell_value
from distilcli.tasks.choose import Options, Problem


def problems_from(
    prompt_column: str, options_of: Callable[[Row], Options]
) -> Callable[[Row], Problem]:
    """Return the function that takes a row's prompt from its column, and its options."""

    def problem_of(row: Row) -> Problem:
        if row.error is not None:
            raise RowError(row.error)
        return cell_text(row, prompt_column), options_of(row)

    return problem_of


def options_from_list(column: str) -> Callable[[Row], Options]:
    """Return the function that takes options from a list of texts, or a cell with one in JSON.

    It raises `RowError` for anything else.
    """

    def options_of(row: Row) -> Options:
        value = cell_value(row, column)
        if isinstance(value, str):
            value = _parsed(value)
        if isinstance(value, list) and all(isinstance(option, str) for option in value):
            return value
        raise RowError(
            f"{row.source}: line {row.line}: the value at {column!r} is no JSON list of texts "
            '(["one", "two"])'
        )

    return options_of


def options_from_columns(columns: Sequence[str]) -> Callable[[Row], Options]:
    """Return the function that takes an option from each column; an empty cell is none."""

    def options_of(row: Row) -> Options:
        return [_option(row, column) for column in columns]

    return options_of


def _option(row: Row, column: str) -> str | None:
    value = cell_value(row, column)
    is_empty = value is None or (isinstance(value, str) and not value.strip())
    return None if is_empty else cell_text(row, column)


def _parsed(cell: str) -> object:
    """Return what a cell holds as JSON, numbers as they are spelled; None where it is none."""
    try:
        return json.loads(cell, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
