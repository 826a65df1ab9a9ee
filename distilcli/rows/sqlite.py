"""SQLite databases: the rows of a table, each value with its own type."""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from distilcli.errors import InputError
from distilcli.rows.stores import Store, StoreFile, StoreRow, as_json_cell

_AT_ONCE = 1024


def read_table(file: StoreFile) -> Store:
    """Return the rows of a table or view, in the order of their ids.

    Raises `InputError` for a file that is not a database, and a table that is missing or not named.
    """
    with _explained(file.name):
        connection = connected(file.path)
        file.resources.callback(connection.close)
        names = table_names(connection)
    table = file.chosen("table", names, names)
    name = f"{file.name}::{table}"
    with _explained(name):
        total, order = 0, ""
        with contextlib.suppress(sqlite3.OperationalError):  # a view, or a table without ids
            last = connection.execute(f"SELECT max(_rowid_) FROM {quoted(table)}")  # noqa: S608
            total, order = last.fetchone()[0] or 0, " ORDER BY _rowid_"
        cursor = connection.execute(f"SELECT * FROM {quoted(table)}{order}")  # noqa: S608
    columns = tuple(column[0] for column in cursor.description)
    return Store(name, columns, _rows(cursor, name), total)


def _rows(cursor: sqlite3.Cursor, name: str) -> Iterator[StoreRow]:
    number = 0
    with _explained(name):
        while block := cursor.fetchmany(_AT_ONCE):
            for cells in block:
                number += 1
                yield StoreRow(number, [as_json_cell(cell) for cell in cells])


def connected(path: Path) -> sqlite3.Connection:
    """Open a database to read it, from any thread; text that is not UTF-8 comes as bytes."""
    address = f"{path.resolve().as_uri()}?mode=ro"
    connection = sqlite3.connect(address, uri=True, check_same_thread=False)
    connection.text_factory = _text
    return connection


def _text(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def table_names(
    connection: sqlite3.Connection, *, kinds: Sequence[str] = ("table", "view")
) -> list[str]:
    """Return the names of all tables and views."""
    found = connection.execute(
        "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
        "ORDER BY name"
    )
    return [name for kind, name in found if kind in kinds]


def quoted(name: str) -> str:
    """Return a name as SQL takes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise InputError(f"{name}: cannot be read as a SQLite database: {error}") from error
