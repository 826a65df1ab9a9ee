import contextlib
import sqlite3
import sys

import pytest

from distilcli import interrupt
from distilcli.errors import ResourceError, UsageError
from distilcli.rows import Row, open_rows, open_writer
from distilcli.rows.row import NumberText


def content(path, table):
    with contextlib.closing(sqlite3.connect(path)) as database:
        cursor = database.execute(f'SELECT * FROM "{table}"')
        return [column[0] for column in cursor.description], cursor.fetchall()


def write(path, *rows, columns=("id", "text"), new=("label",), **settings):
    with open_writer(
        str(path), columns=columns, new_columns=new, input_format="csv", **settings
    ) as writer:
        for cells, additions in rows:
            writer.write_rows([(Row(columns, cells, "in", 1), additions)])


def test_values_come_out_typed_as_they_went_in(tmp_path):
    path = tmp_path / "a.db"
    rows = [
        ("007", 7, 4.0, b"\0\xff", None),
        ("", -(2**53) - 1, 1e-300, b"", "NaN"),
        ("é\n", 0, float("inf"), b"text", 1.5),
    ]
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE t (a, b, c, d, e)")
        database.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", rows)
        database.commit()
    with (
        open_rows([f"{path}::t"]) as source,
        open_writer(
            f"{path}::u", columns=source.columns, new_columns=["n"], input_format=source.format
        ) as writer,
    ):
        writer.write_rows([(row, {"n": 0.5}) for row in source])
    names, found = content(path, "u")
    assert names == ["a", "b", "c", "d", "e", "n"]
    assert found == [(*row, 0.5) for row in rows]
    assert [list(map(type, row)) for row in found] == [[*map(type, row), float] for row in rows]


def test_numbers_too_long_and_lists(tmp_path):
    path = tmp_path / "a.db"
    cells = [NumberText("123456789012345678901234"), NumberText("1e2")]
    write(path, (cells, {"label": ["a", True]}))
    assert content(path, "rows")[1] == [(123456789012345678901234.0, 100.0, '["a",true]')]


def test_late_columns_and_names_that_differ_in_case(tmp_path):
    columns = ("text", "Text", "text")
    rows = [(["a", "b", "c"], {"label": "x"}), (["d", "e", "f"], {"error": "why"})]
    write(tmp_path / "a.db::out", *rows, columns=columns)
    names, found = content(tmp_path / "a.db", "out")
    assert names == ["text", "Text_2", "text_3", "label", "error"]
    assert found == [("a", "b", "c", "x", None), ("d", "e", "f", None, "why")]


def test_a_table_that_is_there_needs_force_and_the_others_stay(tmp_path):
    path = tmp_path / "a.db"
    write(f"{path}::one", (["1", "a"], {"label": "x"}))
    write(f"{path}::two", (["2", "b"], {"label": "y"}))
    for again in ("one", "ONE"):
        with pytest.raises(UsageError, match=f"has a table '{again}' already; use `force`"):
            write(f"{path}::{again}")
    write(f"{path}::one", (["3", "c"], {"label": "z"}), force=True)
    assert content(path, "one")[1] == [("3", "c", "z")]
    assert content(path, "two")[1] == [("2", "b", "y")]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("there", [True, False])
def test_an_error_leaves_nothing_behind(tmp_path, there):
    path = tmp_path / "a.db"
    if there:
        write(f"{path}::one", (["1", "a"], {"label": "x"}))
    before = path.read_bytes() if there else None

    with pytest.raises(KeyError):
        _fail_while_writing(f"{path}::two")
    assert (path.read_bytes() if path.exists() else None) == before
    assert list(tmp_path.iterdir()) == ([path] if there else [])


def _fail_while_writing(path):
    with open_writer(path, columns=["id"], new_columns=["n"], input_format="csv") as writer:
        writer.write_rows([(Row(("id",), ["1"], "in", 1), {"n": 1})])
        raise KeyError


def test_a_database_in_use_is_an_error_and_unchanged(tmp_path, monkeypatch):
    monkeypatch.setattr("distilcli.rows.sqlite_writer._SECONDS_TO_WAIT", 0.01)
    path = tmp_path / "a.db"
    write(f"{path}::one", (["1", "a"], {"label": "x"}))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ResourceError, match="cannot be written: database is locked"):
            write(f"{path}::two", (["2", "b"], {"label": "y"}))
        other.execute("ROLLBACK")
    assert content(path, "one")[1] == [("1", "a", "x")]
    assert list(tmp_path.iterdir()) == [path]


def test_where_no_database_can_be_written(tmp_path):
    (tmp_path / "a.db").write_text("text" * 50)
    with pytest.raises(UsageError, match="not a database"):
        write(tmp_path / "a.db")
    with pytest.raises(UsageError, match="leave out the last suffix"):
        write(tmp_path / "b.db.gz")
    with pytest.raises(UsageError, match="a database cannot be streamed"):
        open_writer(
            sys.stdout, columns=["a"], new_columns=[], input_format="csv", output_format="sqlite"
        )


@pytest.mark.parametrize("force", [True, False])
@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("V", "'V' is a view; name another table"),
        ("sqlite_mine", "'sqlite_mine' is a name that SQLite reserves; name another table"),
    ],
)
def test_names_that_no_table_can_get_are_refused_at_once(tmp_path, table, message, force):
    path = tmp_path / "a.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE VIEW v AS SELECT 1")
    with pytest.raises(UsageError, match=message):
        write(f"{path}::{table}", force=force)


def test_a_database_that_may_not_be_changed_is_refused_at_once(tmp_path, monkeypatch):
    path = tmp_path / "a.db"
    write(path, (["1", "a"], {"label": "x"}))
    monkeypatch.setattr("os.access", lambda name, mode: str(name) != str(path))
    with pytest.raises(UsageError, match="no permission to write to it"):
        write(f"{path}::other")


def test_the_table_that_is_read_is_replaced_only_by_force(tmp_path):
    path = tmp_path / "a.db"
    write(f"{path}::one", *[([str(n), "a"], {"label": "x"}) for n in range(3000)])
    for table, force in (("rows", False), ("one", True)):
        with open_rows([f"{path}::one"], limit=2) as source, open_writer(
            f"{path}::{table}", columns=source.columns, new_columns=["n"],
            input_format="sqlite", force=force,
        ) as writer:  # fmt: skip
            writer.write_rows([(row, {"n": 1}) for row in source])
    assert content(path, "rows") == content(path, "one")
    assert content(path, "one")[1] == [("0", "a", "x", 1), ("1", "a", "x", 1)]


@pytest.mark.parametrize("stays", [False, True])
def test_what_a_sudden_end_leaves(tmp_path, stays):
    writer = open_writer(
        str(tmp_path / "a.db"), columns=["text"], new_columns=["n"], input_format="csv"
    )
    writer.write_rows([(Row(("text",), ["good"], "in", 1), {"n": 1})])
    before = {path.name for path in tmp_path.iterdir()}
    assert before == {".a.db.part", ".a.db.part-journal"}
    if stays:
        writer.stays()
    interrupt._undo_all()
    assert {path.name for path in tmp_path.iterdir()} == (before if stays else set())
    writer.abort()
    interrupt._undo_all()
    assert [*tmp_path.iterdir()] == []


def test_a_sudden_end_in_the_copy_leaves_nothing(tmp_path, monkeypatch):
    def copied(path):
        path.with_name(path.name + "-journal").touch()
        interrupt._undo_all()
        raise KeyboardInterrupt

    writer = open_writer(
        str(tmp_path / "a.db"), columns=["text"], new_columns=["n"], input_format="csv"
    )
    monkeypatch.setattr(writer, "_copy_to", copied)
    writer.write_rows([(Row(("text",), ["good"], "in", 1), {"n": 1})])
    with pytest.raises(KeyboardInterrupt):
        writer.close()
    writer.abort()
    assert [*tmp_path.iterdir()] == []
