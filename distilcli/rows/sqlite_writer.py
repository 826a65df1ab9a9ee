"""Rows into a table of a SQLite database, each value with its own type.

Columns have no declared type, so that SQLite keeps `007` and 7 apart. The table is written to a
temporary database. At the end that becomes the new file, or its table is copied in one transaction
into the database that is there.
"""

import contextlib
import itertools
import os
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from distilcli.errors import ResourceError, UsageError
from distilcli.rows.formats import split_part
from distilcli.rows.jsonl import as_cell
from distilcli.rows.output import FileOutput, Output, check_destination, to_bytes
from distilcli.rows.row import NumberText
from distilcli.rows.row_writer import AddedNames, Block, RowWriter
from distilcli.rows.sqlite import connected, quoted, table_names

DEFAULT_TABLE = "rows"

_WHOLE = re.compile(r"-?\d{1,18}")
_SECONDS_TO_WAIT = 30.0
_Key = tuple[bool, str, int]


def check_table(path: str, *, force: bool) -> None:
    """Raise `UsageError` if the table of `reviews.db::labels` cannot be written."""
    file, part = split_part(path)
    table = part or DEFAULT_TABLE
    check_destination(file, force=True)
    if table.lower().startswith("sqlite_"):
        raise UsageError(f"{file}: {table!r} is a name that SQLite reserves; name another table")
    if not Path(file).is_file() or not Path(file).stat().st_size:
        return
    if not os.access(file, os.W_OK):
        raise UsageError(f"{file}: no permission to write to it")
    try:
        with contextlib.closing(connected(Path(file))) as database:
            there = {name.lower() for name in table_names(database)}
            views = {name.lower() for name in table_names(database, kinds=("view",))}
    except sqlite3.Error as error:
        raise UsageError(f"{file}: cannot get another table: {error}") from error
    if table.lower() in views:
        raise UsageError(f"{file}: {table!r} is a view; name another table")
    if table.lower() in there and not force:
        raise UsageError(f"{file}: has a table {table!r} already; use `force` to replace it")


class SqliteWriter(RowWriter):
    """Writes a table, `rows` if it has no name; a database keeps its other tables."""

    def __init__(
        self,
        output: Output,
        names: AddedNames,
        columns: Sequence[str],
        new_columns: Sequence[str],
        table: str | None,
    ) -> None:
        """Raise `UsageError` if the output is not a file."""
        super().__init__(output, names)
        if not isinstance(output, FileOutput):
            raise UsageError("a database cannot be streamed; name an output file, FILE.db::TABLE")
        self._file = output
        self._table = quoted(table or DEFAULT_TABLE)
        self._columns: dict[_Key, str] = {}
        with self._explained():
            self._database = sqlite3.connect(output.temporary, check_same_thread=False)
            self._database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
            added = [(False, names.prefix + name, 0) for name in new_columns]
            for key in (*_keys(columns), *added):
                self._add(key)

    def _add(self, key: _Key) -> None:
        """Make a column, unless it is there, under a name that is free whatever its case."""
        if key in self._columns:
            return
        taken = {name.lower() for name in self._columns.values()}
        names = itertools.chain([key[1]], (f"{key[1]}_{n}" for n in itertools.count(2)))
        name = next(name for name in names if name.lower() not in taken)
        make = "ALTER TABLE {} ADD COLUMN {}" if self._columns else "CREATE TABLE {} ({})"
        self._database.execute(make.format(self._table, quoted(name)))
        self._columns[key] = name

    def _write(self, block: Block) -> None:
        found: list[dict[_Key, object]] = []
        for row, additions in block:
            cells = dict(zip(_keys(row.columns), row.cells, strict=True))
            found.append(cells | {(False, name, 0): value for name, value in additions.items()})
        with self._explained():
            for key in dict.fromkeys(key for cells in found for key in cells):
                self._add(key)
            marks = ", ".join("?" * len(self._columns))
            self._database.executemany(
                f"INSERT INTO {self._table} VALUES ({marks})",  # noqa: S608
                ([_sql_value(cells.get(key)) for key in self._columns] for cells in found),
            )

    def close(self) -> None:
        """See `RowWriter`."""
        with self._explained():
            self._database.commit()
            self._database.close()
            if self._file.target.exists() and self._file.target.stat().st_size:
                self._copy()
                self._file.discard()
                return
        super().close()

    def _copy(self) -> None:
        """Copy the table into the database that is there, in place of one with its name."""
        target = sqlite3.connect(self._file.target, _SECONDS_TO_WAIT, isolation_level=None)
        with contextlib.closing(target):
            target.execute("ATTACH ? AS written", (str(self._file.temporary),))
            target.execute("BEGIN IMMEDIATE")
            target.execute(f"DROP TABLE IF EXISTS main.{self._table}")
            target.execute(
                f"CREATE TABLE main.{self._table} AS SELECT * FROM written.{self._table}"  # noqa: S608
            )
            target.execute("COMMIT")

    def abort(self) -> None:
        """See `RowWriter`."""
        self._database.close()
        super().abort()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise ResourceError(f"{self._file.target}: cannot be written: {error}") from error


def _keys(columns: Sequence[str]) -> list[_Key]:
    """Return what tells the input's columns apart, also those of one name."""
    seen: Counter[str] = Counter()
    keys = []
    for name in columns:
        keys.append((True, name, seen[name]))
        seen[name] += 1
    return keys


def _sql_value(value: object) -> str | float | bytes | None:
    if isinstance(value, NumberText):
        return int(value) if _WHOLE.fullmatch(value) else float(value)
    if value is None or isinstance(value, int | float | bytes):
        return value
    text = as_cell(value.tolist() if hasattr(value, "tolist") else value)
    return to_bytes(text).decode()  # without lone surrogates
