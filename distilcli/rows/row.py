"""A row, and how its cells are found: by column name, or by a dotted path into JSON."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from distilcli.errors import InputError, RowError
from distilcli.rows.formats import TEXT_COLUMNS

_LISTED = 20


class JsonText(str):
    """A value that is JSON already and goes out as it is."""

    __slots__ = ()


class NumberText(JsonText):
    """A JSON number as it was written: `1.0`, `1e5` and 23 digits keep their spelling."""

    __slots__ = ()


@dataclass(slots=True)
class Row:
    """One row of the input, as it came.

    `cells` stand in the order of `columns`: texts from delimited files, JSON values (numbers as
    `NumberText`) from JSONL. `line` is the physical line, from 1, where the row begins; `raw` the
    text of a JSONL line without its line end. `error` says why the row cannot be used.
    """

    columns: tuple[str, ...]
    cells: Sequence[object]
    source: str
    line: int
    raw: str | None = None
    error: str | None = None


def cell_text(row: Row, column: str) -> str:
    """Return the text of a row's cell; `column` may be a dotted path (`reviews.0.body`) in JSON.

    Numbers give their spelling. Raises `RowError` where there is no value (missing or null), or
    one that is not text.
    """
    value = cell_value(row, column)
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    place = f"{row.source}: line {row.line}"
    if value is None:
        raise RowError(f"{place}: no value at {column!r}")
    kind = "an object" if isinstance(value, dict) else "a list"
    raise RowError(f"{place}: the value at {column!r} is {kind}, not text")


def cell_value(row: Row, column: str) -> object:
    """Return a row's cell as it came, by name or dotted path; None where there is none."""
    if column in row.columns:
        return row.cells[row.columns.index(column)]
    value: object = dict(zip(row.columns, row.cells, strict=True))
    for key in column.split("."):
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def find_column(columns: Sequence[str], wanted: str, source: str, *, dotted: bool = False) -> str:
    """Return `wanted` if it is one of `columns`, or with `dotted` a path that begins in one.

    Raises `InputError` that lists the columns and suggests the nearest.
    """
    if wanted in columns or (dotted and wanted.partition(".")[0] in columns):
        return wanted
    by_lower = {name.lower(): name for name in reversed(columns)}
    near = difflib.get_close_matches(wanted.lower(), by_lower, n=1)
    hint = f"; did you mean {by_lower[near[0]]!r}?" if near else ""
    raise InputError(f"no column {wanted!r} in {source}{hint} {_listed(columns)}")


def default_text_column(columns: Sequence[str], source: str, *, complete: bool = True) -> str:
    """Return the column that holds the text by its usual name, or the only one there is.

    Without `complete` there may be more columns in later rows, so that one alone says nothing.
    Raises `InputError` where the columns do not say it.
    """
    if complete and len(columns) == 1:
        return columns[0]
    for usual in TEXT_COLUMNS:
        for name in columns:
            if name.lower() == usual:
                return name
    raise InputError(
        f"no text column found in {source}; name it with --text-column {_listed(columns)}"
    )


def find_usual_column(
    columns: Sequence[str], usual: Sequence[str], source: str, *, option: str
) -> str:
    """Return the column that has the first name of `usual` that there is, in whatever case.

    Raises `InputError` that lists the columns and names the `option` for another.
    """
    for wanted in usual:
        for name in columns:
            if name.lower() == wanted:
                return name
    raise InputError(
        f"no column {usual[0]!r} in {source}; name it with {option} {_listed(columns)}"
    )


def _listed(columns: Sequence[str]) -> str:
    more = [f"and {len(columns) - _LISTED} more"] if len(columns) > _LISTED else []
    return f"(columns: {', '.join([*columns[:_LISTED], *more])})"
