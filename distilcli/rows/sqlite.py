"""SQLite databases: the rows of a table, each value with its own type."""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from distilcli.errors import InputError
from distilcli.rows.place import Place
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
        total, identity, order = 0, "NULL", ""
        with contextlib.suppress(sqlite3.OperationalError):  # a view, or a table without ids
            last = connection.execute(f"SELECT max(_rowid_) FROM {quoted(table)}")  # noqa: S608
            total, identity, order = last.fetchone()[0] or 0, "_rowid_", " ORDER BY _rowid_"
        query = f"SELECT {identity}, * FROM {quoted(table)}"  # noqa: S608
        described = connection.execute(f"{query} LIMIT 0").description
    columns = tuple(column[0] for column in described[1:])
    place = Place()

    def rows_from(start: Place | None) -> Iterator[StoreRow]:
        if start is None:
            cursor = connection.execute(query + order)
        else:
            cursor = connection.execute(f"{query} WHERE _rowid_ > ?{order}", (start.offset,))
        file.resources.callback(cursor.close)  # an open one locks out writers
        return _rows(cursor, start or Place(), place, name)

    has_ids = order and not any(column.lower() == "_rowid_" for column in columns)
    return Store(name, columns, rows_from, total, (lambda: replace(place)) if has_ids else None)


def _rows(cursor: sqlite3.Cursor, start: Place, place: Place, name: str) -> Iterator[StoreRow]:
    """Yield rows with their numbers; `place` follows them."""
    place.line = start.line
    with _explained(name):
        while block := cursor.fetchmany(_AT_ONCE):
            for place.offset, *cells in block:
                number, place.line = place.line, place.line + 1
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
