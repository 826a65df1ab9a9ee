"""A row and its cells, found by column name or by a dotted path into JSON."""

import difflib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from distilcli.errors import InputError, RowError
from distilcli.rows.formats import LONGEST_NAME, TEXT_COLUMNS
from distilcli.wording import listing

RECALCULATE = "open the workbook in a spreadsheet program and save it"
_KINDS: dict[type, str] = {dict: "an object", list: "a list", bytes: "binary data"}
_UNSEEN = ("Cc", "Cf")
_FILLERS = "\u034f\u115f\u1160\u2800\u3164\uffa0\ufe0e\ufe0f"  # unseen letters and marks
# What a header is likely to hold: no blanks, no slashes, not a number.
_NAME = re.compile(r"(?![\d.-]+$)[\w.-]{1,40}")


Stored = tuple[Any, int]
"""The Arrow batch that holds a row of a Parquet file, and the row's index in it."""


class JsonText(str):
    """A value that is JSON already and goes out unchanged."""

    __slots__ = ()


class NumberText(JsonText):
    """A JSON number as written: `1.0`, `1e5` and 23 digits keep their spelling."""

    __slots__ = ()


class Uncalculated(str):
    """The empty cell of a formula that has no value; `place` names the cell."""

    place: str

    __slots__ = ("place",)

    @classmethod
    def at(cls, place: str) -> "Uncalculated":
        """Return the cell of a place such as `B2`."""
        cell = cls()
        cell.place = place
        return cell


class JoinedColumns(str):
    """Several columns as one, whose text is theirs, with `separator` between those not empty."""

    parts: Sequence[str]
    separator: str

    __slots__ = ("parts", "separator")

    @classmethod
    def of(cls, parts: Sequence[str], separator: str) -> "JoinedColumns":
        """Return the columns as one."""
        joined = cls(",".join(parts))
        joined.parts, joined.separator = parts, separator
        return joined


@dataclass(slots=True)
class Row:
    """One row of the input.

    `cells` are in the order of `columns`: texts from delimited files and sheets, JSON values
    (numbers as `NumberText`) and bytes from others. `line` is the physical line, from 1, where
    the row begins; `raw` the text of a JSONL line without its line end. `error` says why the row
    is unusable. `stored` is where Parquet has the values in their own types.
    `begins_block`: see `rows.blocks`.
    """

    columns: tuple[str, ...]
    cells: Sequence[object]
    source: str
    line: int
    raw: str | None = None
    error: str | None = None
    stored: Stored | None = field(default=None, compare=False, repr=False)
    begins_block: bool = field(default=False, compare=False, repr=False)


def is_blank(text: str) -> bool:
    """Whether nothing of a text can be seen: blanks, control and zero-width characters alone."""
    if "!" <= text[:1] <= "~":  # nearly always
        return False
    return all(
        each.isspace() or each in _FILLERS or unicodedata.category(each) in _UNSEEN for each in text
    )


def cell_text(row: Row, column: str) -> str:
    """Return the text of a row's cell; `column` may be a dotted path (`reviews.0.body`) in JSON.

    Numbers keep their spelling. Raises `RowError` for a missing or null value, a list or an object.
    """
    if isinstance(column, JoinedColumns):
        filled = [name for name in column.parts if not _is_empty(cell_value(row, name))]
        return column.separator.join(cell_text(row, name) for name in filled or column.parts[:1])
    value = cell_value(row, column)
    where = f"{row.source}: line {row.line}"
    if isinstance(value, Uncalculated):
        raise RowError(f"{where}: cell {value.place} is a formula without a value; {RECALCULATE}")
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        raise RowError(f"{where}: no value at {column!r}")
    kind = _KINDS.get(type(value), "not finite")
    raise RowError(f"{where}: the value at {column!r} is {kind}, not text")


def _is_empty(value: object) -> bool:
    return value in (None, "") and not isinstance(value, Uncalculated)


def cell_value(row: Row, column: str) -> object:
    """Return a row's cell unchanged, by name or dotted path; None if there is none.

    Of joined columns it is their text.
    """
    if isinstance(column, JoinedColumns):
        return cell_text(row, column)
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
    """Return `wanted` if it is one of `columns`, or with `dotted` a path that begins with one.

    Raises `InputError` that lists the columns and suggests the nearest.
    """
    if wanted in columns or (dotted and wanted.partition(".")[0] in columns):
        return wanted
    if bare := [name for name in columns if name.strip() == wanted.strip()]:
        return bare[0]
    by_lower = {name.lower(): name for name in reversed(columns)}
    near = difflib.get_close_matches(wanted.lower(), by_lower, n=1)
    hint = f"; did you mean {by_lower[near[0]]!r}?" if near else ""
    if wanted.isdecimal():
        hint = "; columns have numbers only with `no_header`"
    raise InputError(f"no column {wanted!r} in {source}{hint} {_listed(columns)}")


def default_text_column(
    columns: Sequence[str], source: str, *, complete: bool = True, delimited: bool = False
) -> str:
    """Return the text column: one with a usual name, or the only one.

    Without `complete` later rows may have more columns, so that a single one says nothing. Raises
    `InputError` where no column qualifies; `delimited` files may just lack a header.
    """
    if complete and len(columns) == 1:
        return columns[0]
    for usual in TEXT_COLUMNS:
        for name in columns:
            if name.strip().lower() == usual:
                return name
    way_out = "name it with `text_column`"
    if len(columns) > 1 and sum(bool(name.strip()) for name in columns) == 1:
        way_out += ", or if line 1 is a title, delete the lines above the header"
    elif delimited and not all(map(_NAME.fullmatch, columns)):
        longest = max(range(len(columns)), key=lambda index: len(columns[index]))
        way_out += f", or if line 1 is a row: `no_header` and `text_column` {longest + 1}"
    raise InputError(f"no text column found in {source}; {way_out} {_listed(columns)}")


def find_usual_column(
    columns: Sequence[str], usual: Sequence[str], source: str, *, option: str
) -> str:
    """Return the column with the first name of `usual` that is there, ignoring case.

    Raises `InputError` that lists the columns and names the `option` that sets the column.
    """
    for wanted in usual:
        for name in columns:
            if name.strip().lower() == wanted:
                return name
    raise InputError(
        f"no column {usual[0]!r} in {source}; name it with {option} {_listed(columns)}"
    )


def _listed(columns: Sequence[str]) -> str:
    return f"(columns: {listing(map(_shown, columns), most=20)})"


def _shown(name: str) -> str:
    short = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
    return short if name == name.strip() != "" else repr(short)
