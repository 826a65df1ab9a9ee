"""Workbooks (.xlsx), with the extra `excel`: the rows of a sheet, each cell as it is shown.

Numbers are shown by the common formats (`000`, `0.00`, `#,##0`, `0%`) and plainly by others, dates
in ISO form. A formula counts with the value that the spreadsheet program saved for it.
"""

import datetime as dt
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from distilcli.errors import InputError
from distilcli.rows.extras import require_excel
from distilcli.rows.stores import Store, StoreFile

_PLACES = re.compile(r"(#,##)?(0+)(\.0+)?(%?)")
_ESCAPED = re.compile("_x00([01][0-9A-F])_")


class _Cell(Protocol):
    value: object
    number_format: str | None
    data_type: str
    coordinate: str


class _Sheet(Protocol):
    title: str
    sheet_state: str
    max_row: int | None

    def reset_dimensions(self) -> None: ...
    def iter_rows(self) -> Iterator[Sequence[_Cell]]: ...


class _Book(Protocol):
    worksheets: Sequence[_Sheet]

    def __getitem__(self, title: str) -> _Sheet: ...
    def close(self) -> None: ...


def read_sheet(file: StoreFile) -> Store:
    """Return the rows of a sheet that hold anything, as texts.

    Raises `InputError` for a file that is not a workbook, a sheet that is missing or not named,
    and, with the rows, for a formula without a saved value.
    """
    book = _open(file, formulas=False)
    every = [sheet.title for sheet in book.worksheets]
    visible = [sheet.title for sheet in book.worksheets if sheet.sheet_state == "visible"]
    title = file.chosen("sheet", every, visible)
    name = f"{file.name}::{title}" if file.part or len(every) > 1 else file.name
    rows = _rows(book[title], lambda: _open(file, formulas=True)[title], name)
    return Store(name, (), lambda _: rows, book[title].max_row or 0)


def _open(file: StoreFile, *, formulas: bool) -> _Book:
    openpyxl = require_excel()
    # It warns of what it could not write, and we write none.
    warnings.filterwarnings("ignore", module="openpyxl")
    try:
        opened = file.resources.enter_context(file.path.open("rb"))
        book: _Book = openpyxl.load_workbook(opened, read_only=True, data_only=not formulas)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise InputError(f"{file.name}: is a zip archive, but not an Excel workbook") from error
    file.resources.callback(book.close)
    return book


def _rows(
    sheet: _Sheet, with_formulas: Callable[[], _Sheet], name: str
) -> Iterator[tuple[int, list[str]]]:
    sheet.reset_dimensions()  # programs write wrong ones
    formulas: Iterator[tuple[int, Sequence[_Cell]]] | None = None
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        # A cell without a value is a format alone, or a formula that was never calculated.
        if doubtful := [index for index, cell in enumerate(cells) if _may_be_formula(cell)]:
            formulas = formulas or _numbered(with_formulas())
            original = next(row for at, row in formulas if at == number)
            for cell in (original[index] for index in doubtful):
                if cell.data_type == "f":
                    raise InputError(
                        f"{name}: cell {cell.coordinate} is a formula without a value; open the "
                        "workbook in a spreadsheet program and save it"
                    )
        texts = [_shown(cell) for cell in cells]
        if any(texts):
            yield number, texts


def _numbered(sheet: _Sheet) -> Iterator[tuple[int, Sequence[_Cell]]]:
    sheet.reset_dimensions()
    return enumerate(sheet.iter_rows(), start=1)


def _may_be_formula(cell: _Cell) -> bool:
    return cell.value is None and cell.data_type == "n" and hasattr(cell, "coordinate")


def _shown(cell: _Cell) -> str:
    value = cell.value
    if isinstance(value, str):
        return _ESCAPED.sub(lambda code: chr(int(code[1], 16)), value) if "_x" in value else value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return _number(value, cell.number_format or "")
    if isinstance(value, dt.datetime):
        date_only = not (value.hour or value.minute or value.second or value.microsecond)
        return str(value.date() if date_only else value)
    return str(value)  # a time or a duration


def _number(value: float, shown_as: str) -> str:
    """Return a number by its format, or plainly with the 15 digits that a spreadsheet keeps."""
    if places := _PLACES.fullmatch(shown_as):
        thousands, whole, decimals, percent = places.groups(default="")
        number = value * 100 if percent else value
        size = len(whole) + len(decimals) + (number < 0)
        comma = "," if thousands else ""
        return f"{number:0{size}{comma}.{max(len(decimals) - 1, 0)}f}{percent}"
    if isinstance(value, int) or value.is_integer():
        return str(int(value))
    return repr(float(f"{value:.15g}"))
