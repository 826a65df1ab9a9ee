import contextlib
import io
import sqlite3
import sys

import pytest

from distilcli.errors import InputError
from distilcli.rows import open_rows


@pytest.fixture
def database(tmp_path):
    """Run SQL in a database and give its path."""

    def run(*statements, name="a.db"):
        with contextlib.closing(sqlite3.connect(tmp_path / name)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()
        return str(tmp_path / name)

    return run


def read(path):
    with open_rows([path]) as source:
        return source.columns, [(row.line, list(row.cells)) for row in source]


def refused(path):
    """Return the one line that a file is refused with."""
    with open_rows([path]) as source, pytest.raises(InputError) as caught:
        list(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


ROWS = (
    "CREATE TABLE reviews (id INTEGER, text TEXT, stars REAL, image BLOB)",
    "INSERT INTO reviews VALUES (7, '007', 4.0, x'00ff'), (8, NULL, 1e300, NULL)",
)


def test_values_keep_their_types(database):
    columns, rows = read(database(*ROWS))
    assert columns == ("id", "text", "stars", "image")
    assert rows == [(1, ["7", "007", "4.0", b"\x00\xff"]), (2, ["8", None, "1e+300", None])]


def test_the_only_table_needs_no_name_and_another_is_named(database):
    path = database(*ROWS, "CREATE VIEW short AS SELECT text FROM reviews")
    assert read(f"{path}::short")[1] == [(1, ["007"]), (2, [None])]
    assert refused(path) == f"{path}: has 2 tables (reviews, short); name one: {path}::reviews"
    assert refused(f"{path}::x") == f"{path}: has no table 'x'; it has reviews, short"


@pytest.mark.parametrize("name", ['a "b"', "a::b", "select", "ä;--"])
def test_any_name_of_a_table(database, name):
    quoted = name.replace('"', '""')
    path = database(f'CREATE TABLE "{quoted}" (text)', f'INSERT INTO "{quoted}" VALUES (1)')
    assert read(f"{path}::{name}")[1] == [(1, ["1"])]


def test_a_glob_of_databases(database, tmp_path):
    for name in ("a.db", "b.db"):
        database("CREATE TABLE t (text)", f"INSERT INTO t VALUES ('{name}')", name=name)
    assert read(f"{tmp_path}/*.db::t")[1] == [(1, ["a.db"]), (1, ["b.db"])]


def test_rows_come_in_the_order_of_their_ids_whatever_index_there_is(database):
    path = database(
        "CREATE TABLE t (text)",
        "INSERT INTO t VALUES ('b'), ('a')",
        "CREATE INDEX i ON t (text)",
        "ANALYZE",
    )
    assert read(path)[1] == [(1, ["b"]), (2, ["a"])]


def test_a_table_without_ids_and_an_empty_one(database):
    path = database("CREATE TABLE t (text PRIMARY KEY) WITHOUT ROWID", "INSERT INTO t VALUES ('a')")
    assert read(path)[1] == [(1, ["a"])]
    assert read(database("CREATE TABLE t (text)", name="b.db")) == (("text",), [])


def test_text_that_is_no_utf_8_is_binary_data(database):
    path = database("CREATE TABLE t (text)", "INSERT INTO t VALUES (CAST(x'ff' AS TEXT))")
    assert read(path)[1] == [(1, [b"\xff"])]


def test_every_row_is_read_and_the_share_is_counted(database):
    path = database(
        "CREATE TABLE t (text)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
        "INSERT INTO t SELECT i FROM n",
    )
    with open_rows([path]) as source:
        rows = iter(source)
        for _ in range(2560):
            next(rows)
        assert source.bytes_total
        assert source.bytes_read == pytest.approx(source.bytes_total * 0.512, rel=0.01)
        assert len(list(rows)) == 5000 - 2560


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"text", "is not a SQLite database"), (b"SQLite format 3\0", "cannot be read as a SQLite")],
)
def test_what_is_no_database(tmp_path, content, message):
    (tmp_path / "a.db").write_bytes(content * 40)
    assert message in refused(str(tmp_path / "a.db"))


def test_a_database_without_tables(database):
    assert refused(database("PRAGMA user_version = 1")).endswith("has no table")


def test_a_table_of_standard_input(database, monkeypatch):
    path = database(*ROWS, "CREATE TABLE other (text)", "INSERT INTO other VALUES ('x')")
    with open(path, "rb") as file:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
        assert read("-::other")[1] == [(1, ["x"])]
