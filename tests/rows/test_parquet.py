import datetime as dt
import decimal
import io
import sys

import pytest

from distilcli.errors import InputError
from distilcli.rows import open_rows
from distilcli.rows.row import NumberText

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def file(tmp_path):
    """Write columns to a file and give its path."""

    def write(columns, **settings):
        parquet.write_table(arrow.table(columns), tmp_path / "a.parquet", **settings)
        return str(tmp_path / "a.parquet")

    return write


def cells(path):
    with open_rows([path]) as source:
        return [list(row.cells) for row in source]


def test_numbers_are_as_spelled_and_what_is_missing_is_none(file):
    path = file(
        {
            "text": ["007", None, ""],
            "n": arrow.array([1, None, -3], arrow.int8()),
            "x": [1.0, float("nan"), 1e-7],
            "ok": [True, False, None],
        }
    )
    assert cells(path) == [
        ["007", "1", "1.0", True], [None, None, None, False], ["", "-3", "1e-07", None],
    ]  # fmt: skip
    with open_rows([path]) as source:
        row = next(iter(source))
        assert (source.format, source.text_column, row.line) == ("parquet", "text", 1)
        assert isinstance(row.cells[1], NumberText)


def test_nested_values_dates_decimals_and_binary(file):
    path = file(
        {
            "text": [[{"a": [1]}]],
            "when": [dt.datetime.fromisoformat("2026-01-02 03:04")],
            "day": [dt.date(2026, 1, 2)],
            "price": [decimal.Decimal("1.50")],
            "image": [b"\0"],
            "kind": arrow.array(["x"]).dictionary_encode(),
        }
    )
    assert cells(path) == [
        [[{"a": ["1"]}], "2026-01-02 03:04:00", "2026-01-02", "1.50", b"\0", "x"]
    ]


def test_row_groups_follow_one_another_in_small_batches(file):
    path = file({"text": list(map(str, range(10_000)))}, row_group_size=3_000)
    with open_rows([path]) as source:
        rows = [(row.line, row.cells[0]) for row in source]
    assert rows == [(number + 1, str(number)) for number in range(10_000)]


def test_a_pipe_and_another_name(file, tmp_path, monkeypatch):
    path = file({"text": ["a"]})
    data = (tmp_path / "a.parquet").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert cells("-") == [["a"]]
    (tmp_path / "a.txt").write_bytes(data)
    assert cells(str(tmp_path / "a.txt")) == cells(path)


def test_what_is_no_parquet_or_cut_off(file, tmp_path):
    path = file({"text": ["a" * 100]})
    whole = (tmp_path / "a.parquet").read_bytes()
    for content, message in ((b"text", "is not Parquet"), (whole[:-20], "cannot be read as Parq")):
        (tmp_path / "a.parquet").write_bytes(content)
        with open_rows([path]) as source, pytest.raises(InputError, match=message) as caught:
            list(source)
        assert "\n" not in str(caught.value)


def test_columns_in_the_names_of_folders_are_told(tmp_path):
    for value in ("x", "y"):
        (tmp_path / f"k={value}").mkdir()
        parquet.write_table(arrow.table({"text": [value]}), tmp_path / f"k={value}/a.parquet")
    with open_rows([f"{tmp_path}/*/*.parquet"]) as source:
        assert [row.cells for row in source] == [("x",), ("y",)]
        (note,) = source.new_notes()
        assert note.startswith("columns in folder names (k) are not read; `file_column`")
