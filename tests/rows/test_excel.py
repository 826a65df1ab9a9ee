import datetime as dt
import gzip
import io
import sys
import zipfile
from pathlib import Path

import pytest

from distilcli.errors import InputError, RowError, UsageError
from distilcli.rows import open_rows
from distilcli.rows.row import cell_text

openpyxl = pytest.importorskip("openpyxl")


DAMAGED = (
    "is an Excel workbook or another zip archive that is damaged or cut off; get it again, or save "
    "it again in a spreadsheet program"
)


@pytest.fixture
def book(tmp_path):
    """Write sheets (name to rows) to a workbook and give its path."""

    def write(change=lambda book: None, **sheets):
        made = openpyxl.Workbook()
        made.remove(made.active)
        for title, rows in sheets.items():
            sheet = made.create_sheet(title)
            for row in rows:
                sheet.append(row)
        change(made)
        made.save(tmp_path / "a.xlsx")
        return str(tmp_path / "a.xlsx")

    return write


def cells(path, **settings):
    with open_rows([path], **settings) as source:
        rows = list(source)
    assert [row.error for row in rows] == [None] * len(rows)
    return [list(row.cells) for row in rows]


def refused(path, **settings):
    """Return the one line that a file is refused with."""
    with open_rows([path], **settings) as source, pytest.raises(InputError) as caught:
        list(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_texts_are_as_they_stand_and_other_cells_as_they_are_shown(book):
    day = dt.datetime.fromisoformat("2026-01-02")
    path = book(One=[["text", "a", "b"], ["007", 7, 1.0], [" NA ", day, True], ["1e5", 0.1, None]])
    assert cells(path) == [["007", "7", "1"], [" NA ", "2026-01-02", "TRUE"], ["1e5", "0.1", ""]]


@pytest.mark.parametrize(
    ("value", "shown_as", "expected"),
    [
        (7, "000", "007"),
        (-7, "000", "-007"),
        (2.5, "0.00", "2.50"),
        (0.5, "0%", "50%"),
        (0.125, "0.0%", "12.5%"),
        (1234567, "#,##0", "1,234,567"),
        (1234.5, "#,##0.00", "1,234.50"),
        (1234.5, "[Red]0", "1234.5"),
        (2.25, "0.0", "2.3"),
        (2.5, "0", "3"),
        (-2.5, "0", "-3"),
        (1.005, "0.00", "1.01"),
        (0.125, "0%", "13%"),
        (-0.2, "0", "0"),
        (1e300, "#,##0", f"1,{'000,' * 99}000"),
        (dt.timedelta(hours=30, minutes=5), "[h]:mm", "30:05:00"),
        (0.1 + 0.2, "General", "0.3"),
        (dt.datetime.fromisoformat("2026-01-02 03:04"), "yyyy", "2026-01-02 03:04:00"),
        (dt.time(3, 4), "hh:mm", "03:04:00"),
        ("line_x000D_end", "General", "line\rend"),
    ],
)
def test_formats_of_numbers_and_dates(book, value, shown_as, expected):
    def change(made):
        made["One"]["A2"].number_format = shown_as

    assert cells(book(change, One=[["text"], [value]])) == [[expected]]


def test_rows_know_their_number_and_empty_ones_are_left_out(book):
    path = book(One=[["text", "n"], ["a", 1], [None, None], ["b"], ["c", 1, "more"]])
    with open_rows([path]) as source:
        rows = list(source)
    assert [(row.line, list(row.cells)) for row in rows] == [
        (2, ["a", "1"]), (4, ["b", ""]), (5, ["c", "1"]),
    ]  # fmt: skip
    assert rows[2].error == f"{path}: line 5: 3 cells where the header has 2; left over: 'more'"


def test_a_sheet_without_a_header(book):
    path = book(One=[["good", 1], ["bad", 0]])
    assert cells(path, no_header=True) == [["good", "1"], ["bad", "0"]]


def test_one_of_several_sheets_has_to_be_named(book):
    path = book(First=[["text"], ["a"]], Second=[["text"], ["b"]])
    assert cells(f"{path}::Second") == [["b"]]
    assert refused(path) == f"{path}: has 2 sheets (First, Second); name one: {path}::First"
    assert refused(f"{path}::Third") == f"{path}: has no sheet 'Third'; it has First, Second"


def test_a_hidden_sheet_is_read_only_by_its_name(book):
    def hide(made):
        made["Second"].sheet_state = "hidden"

    path = book(hide, First=[["text"], ["a"]], Second=[["text"], ["b"]])
    assert cells(path) == [["a"]]
    assert cells(f"{path}::Second") == [["b"]]


@pytest.mark.parametrize("formula", ["=A1", "=SUM(1, 2)"])
def test_a_formula_that_was_never_calculated_is_an_empty_cell_and_one_note(book, formula):
    path = book(One=[["text", "n"], ["a", 1], ["b", formula], ["c", formula]])
    with open_rows([path]) as source:
        rows = list(source)
        (note,) = source.new_notes()
        assert note == (
            f"{path}: cell B3 is a formula without a value; such cells count as empty: open the "
            "workbook in a spreadsheet program and save it"
        )
    assert [list(row.cells) for row in rows] == [["a", "1"], ["b", ""], ["c", ""]]


@pytest.mark.parametrize("column", ["text", "n,text"])
def test_a_text_that_was_never_calculated_is_an_error_of_its_row(book, column):
    path = book(One=[["text", "n"], ["a", 1], ["=A1", 2], ["=A1", None]])
    with open_rows([path], text_column=column) as source:
        first, *others = source
        assert cell_text(first, source.text_column) in {"a", "1 a"}
        for row, place in zip(others, ("A3", "A4"), strict=True):
            with pytest.raises(RowError, match=f"cell {place} is a formula without a value; open"):
                cell_text(row, source.text_column)


def test_a_formula_counts_with_its_saved_value_even_an_empty_text(book):
    path = book(One=[["text", "n"], ["a", "=1+1"], ["b", "=A9"]])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"].decode()
    for written, saved in (
        ('<c r="B2"><f>1+1</f><v />', '<c r="B2"><f>1+1</f><v>2</v>'),
        ('<c r="B3"><f>A9</f><v />', '<c r="B3" t="str"><f>A9</f><v></v>'),
    ):
        assert written in sheet
        sheet = sheet.replace(written, saved)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, sheet if name.endswith("sheet1.xml") else data)
    assert cells(path) == [["a", "2"], ["b", ""]]


def test_a_workbook_under_another_name_compressed_or_on_a_pipe(book, tmp_path, monkeypatch):
    data = Path(book(One=[["text"], ["a"]])).read_bytes()
    (tmp_path / "a.csv").write_bytes(data)
    assert cells(str(tmp_path / "a.csv")) == [["a"]]
    (tmp_path / "a.xlsx.gz").write_bytes(gzip.compress(data))
    assert cells(str(tmp_path / "a.xlsx.gz")) == [["a"]]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert cells("-") == [["a"]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xlsx", b"text\na\n", "is not an Excel workbook; is it text?"),
        ("a.csv", b"PK\x03\x04zip", DAMAGED),
        ("a.xlsx", b"PK\x03\x04" + bytes(range(19)), DAMAGED),
        ("a.txt", b"PK\x05\x06" + bytes(18), "is a zip archive, but not an Excel workbook"),
        ("a.csv", b"\xd0\xcf\x11\xe0\xa1", "; save it as .xlsx without a password"),
    ],
)
def test_what_is_no_workbook(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    assert refused(str(tmp_path / name)).endswith(message)


def test_a_delimiter_means_nothing_to_a_sheet(book):
    with open_rows([book(One=[["text"]])], delimiter=";") as source, pytest.raises(UsageError):
        list(source)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.98])
def test_a_workbook_that_is_cut_off(book, kept):
    path = Path(book(One=[["text"], *[[f"row {n}"] for n in range(100)]]))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    assert refused(str(path)) == f"{path}: {DAMAGED}"


def test_a_workbook_with_a_damaged_sheet(book):
    path = book(One=[["text"], *[[f"row {n}"] for n in range(100)]])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data[:-50] if name.endswith("sheet1.xml") else data)
    assert refused(path) == f"{path}: {DAMAGED}"


@pytest.mark.parametrize("blank", [[], [[None]]])
def test_a_title_above_the_header_is_named(book, blank):
    path = book(One=[["Sales 2026"], *blank, ["text", "n"], ["a", 1]])
    assert refused(path) == (
        f"{path}: line 1 holds one cell, 'Sales 2026', and line {2 + len(blank)} several; if it is "
        "a title, delete the lines above the header, or set `no_header`"
    )


def test_names_with_blanks_can_be_pasted_into_a_shell(book):
    path = book(**{"Sheet 1": [["text"], ["a"]], "It's": [["text"], ["b"]]})
    assert refused(path).endswith(f"name one: '{path}::Sheet 1'")


def test_a_sheet_of_a_workbook_under_another_name(book, tmp_path):
    data = Path(book(One=[["text"], ["a"]], Two=[["text"], ["b"]])).read_bytes()
    (tmp_path / "a.csv").write_bytes(data)
    assert cells(f"{tmp_path / 'a.csv'}::Two") == [["b"]]


def test_a_sheet_of_standard_input(book, monkeypatch):
    path = book(One=[["text"], ["a"]], Two=[["text"], ["b"]])
    with Path(path).open("rb") as file:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
        assert cells("-::Two") == [["b"]]
    with Path(path).open("rb") as file:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
        assert refused("-").endswith("name one: -::One")


def test_a_sheet_of_what_has_none(tmp_path):
    (tmp_path / "a.csv").write_text("text\na\n")
    with open_rows([f"{tmp_path}/a.csv::One"]) as source, pytest.raises(UsageError) as caught:
        list(source)
    assert str(caught.value) == (
        f"{tmp_path}/a.csv: '::One' names a table or sheet, but the file is neither a database "
        "nor a workbook"
    )


def test_a_workbook_that_the_library_cannot_read_is_refused_in_one_line(book):
    path = book(lambda made: made.create_chartsheet("Chart"), One=[["text"], ["a"]])
    assert refused(path).startswith(f"{path}: cannot be read as an Excel workbook (")


def test_a_column_with_a_usual_name_is_no_title(book):
    path = book(One=[["Text"], ["a", "a note"], ["b"]])
    with open_rows([path]) as source:
        assert [row.error is None for row in source] == [False, True]


def test_a_document_is_no_workbook(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", "<document/>")
    assert refused(str(tmp_path / "a.xlsx")).endswith("is a zip archive, but not an Excel workbook")
