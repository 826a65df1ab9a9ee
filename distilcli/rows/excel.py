"""Workbooks (.xlsx), with the extra `excel`: the rows of a sheet, each cell as it is shown.

Numbers follow the common formats (`000`, `0.00`, `#,##0`, `0%`) and are plain in other formats;
dates are in ISO form. A formula stands for the value that the spreadsheet program saved for it. If
there is none, the cell is empty, and a row whose text is that cell fails.
"""

import contextlib
import datetime as dt
import decimal
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from distilcli.errors import InputError
from distilcli.rows.compression import check_ratio
from distilcli.rows.extras import require_excel
from distilcli.rows.row import RECALCULATE, Uncalculated
from distilcli.rows.stores import Store, StoreFile, StoreRow

_PLACES = re.compile(r"(#,##)?(0+)(\.0+)?(%?)")
_ROUNDING = decimal.Context(prec=400, rounding=decimal.ROUND_HALF_UP)
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
    """Return the rows of a sheet that are not empty, as texts.

    Raises `InputError` for a file that is damaged or not a workbook, and for a sheet that is
    missing or not named.
    """
    book = _open(file, formulas=False)
    every = [sheet.title for sheet in book.worksheets]
    visible = [sheet.title for sheet in book.worksheets if sheet.sheet_state == "visible"]
    title = file.chosen("sheet", every, visible)
    name = f"{file.name}::{title}" if file.part or len(every) > 1 else file.name
    notes: list[str] = []
    rows = _SheetRows(book[title], lambda: _open(file, formulas=True)[title], name, notes)
    return Store(name, (), lambda _: iter(rows), book[title].max_row or 0, notes=notes)


def _open(file: StoreFile, *, formulas: bool) -> _Book:
    openpyxl = require_excel()
    # It warns of what it could not write, and we write none.
    warnings.filterwarnings("ignore", module="openpyxl")
    with _explained(file.name):
        try:
            opened = file.resources.enter_context(file.path.open("rb"))
            parts = zipfile.ZipFile(opened).infolist()
            unpacked = sum(part.file_size for part in parts)
            check_ratio(unpacked, file.path.stat().st_size, file.name)
            book: _Book = openpyxl.load_workbook(opened, read_only=True, data_only=not formulas)
        except (KeyError, OSError) as error:
            raise InputError(f"{file.name}: is a zip archive, but not an Excel workbook") from error
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            raise InputError(
                f"{file.name}: cannot be read as an Excel workbook ({error}); save it again, or "
                "save its sheet as CSV"
            ) from error
    file.resources.callback(book.close)
    return book


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    # Broken XML is a `SyntaxError`.
    except (zipfile.BadZipFile, zlib.error, SyntaxError, EOFError) as error:
        raise InputError(
            f"{name}: is an Excel workbook or another zip archive that is damaged or cut off; "
            "get it again, or save it again in a spreadsheet program"
        ) from error


class _SheetRows:
    """The rows of a sheet; the first formula without a value gives a note."""

    def __init__(
        self, sheet: _Sheet, with_formulas: Callable[[], _Sheet], name: str, notes: list[str]
    ) -> None:
        self._sheet = sheet
        self._with_formulas = with_formulas
        self._formulas: Iterator[tuple[int, Sequence[_Cell]]] | None = None
        self._name = name
        self._notes = notes

    def __iter__(self) -> Iterator[StoreRow]:
        numbered = _numbered(self._sheet)
        while True:
            with _explained(self._name):
                number, cells = next(numbered, (0, ()))
                if not number:
                    return
                texts = [_shown(cell) for cell in cells]
                # A cell without a value is a format alone, or a formula that was never calculated.
                if doubtful := [i for i, cell in enumerate(cells) if _may_be_formula(cell)]:
                    for index, place in self._uncalculated(number, doubtful):
                        texts[index] = Uncalculated.at(place)
            if any(texts) or any(isinstance(text, Uncalculated) for text in texts):
                yield StoreRow(number, texts)

    def _uncalculated(self, number: int, doubtful: Sequence[int]) -> Iterator[tuple[int, str]]:
        """Yield the `doubtful` cells of a row that hold a formula, with their names."""
        self._formulas = self._formulas or _numbered(self._with_formulas())
        original = next(row for at, row in self._formulas if at == number)
        for index in doubtful:
            if original[index].data_type != "f":
                continue
            place = original[index].coordinate
            if not self._notes:
                self._notes.append(
                    f"{self._name}: cell {place} is a formula without a value; such cells count "
                    f"as empty: {RECALCULATE}"
                )
            yield index, place


def _numbered(sheet: _Sheet) -> Iterator[tuple[int, Sequence[_Cell]]]:
    sheet.reset_dimensions()  # programs write wrong ones
    return enumerate(sheet.iter_rows(), start=1)


def _may_be_formula(cell: _Cell) -> bool:
    return cell.value is None and cell.data_type == "n" and hasattr(cell, "coordinate")


def _shown(cell: _Cell) -> str:
    value = cell.value
    if isinstance(value, str | None):
        return _ESCAPED.sub(lambda code: chr(int(code[1], 16)), value or "")
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return _number(value, cell.number_format or "")
    if isinstance(value, dt.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        value = value.date()
    return str(value)  # a date or a time


def _number(value: float, shown_as: str) -> str:
    """Return a number by its format, or plainly with the 15 digits that a spreadsheet keeps."""
    if places := _PLACES.fullmatch(shown_as):
        thousands, whole, decimals, percent = places.groups(default="")
        digits = max(len(decimals) - 1, 0)
        number = decimal.Decimal(f"{value:.15g}").scaleb(2 if percent else 0)
        # Spreadsheets round halves up, and binary fractions as they are shown.
        number = number.quantize(decimal.Decimal(1).scaleb(-digits), context=_ROUNDING)
        number = number or abs(number)  # no -0
        size = len(whole) + len(decimals) + (number < 0)
        comma = "," if thousands else ""
        return f"{number:0{size}{comma}.{digits}f}{percent}"
    if isinstance(value, int) or value.is_integer():
        return str(int(value))
    return repr(float(f"{value:.15g}"))
