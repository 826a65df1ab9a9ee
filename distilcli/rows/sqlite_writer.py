"""Rows into a table of a SQLite database, each value with its own type.

Columns have no declared type, so that SQLite keeps `007` and 7 apart. The table is written to a
temporary database. At the end it is copied in one transaction, into a new database or an existing
one, so its bytes do not depend on when the temporary one was saved.
"""

import contextlib
import itertools
import os
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from distilcli.errors import ResourceError, UsageError
from distilcli.interrupt import undo_at_sudden_end
from distilcli.rows.file_output import FileOutput, damaged, to_bytes
from distilcli.rows.formats import split_part
from distilcli.rows.jsonl import as_cell
from distilcli.rows.output import Output, State, check_destination
from distilcli.rows.row import NumberText, Row
from distilcli.rows.row_writer import AddedNames, Block, RowWriter
from distilcli.rows.sqlite import connected, quoted, table_names

DEFAULT_TABLE = "rows"

_WHOLE = re.compile(r"-?\d{1,18}")
_SECONDS_TO_WAIT = 30.0
_Key = tuple[bool, str, int]


def has_table(path: str) -> bool:
    """Return whether a table such as `reviews.db::labels` exists.

    Raises `UsageError` for a file that is not a database, and for a table that is a view.
    """
    file, part = split_part(path)
    table = part or DEFAULT_TABLE
    if not Path(file).is_file() or not Path(file).stat().st_size:
        return False
    try:
        with contextlib.closing(connected(Path(file))) as database:
            there = {name.lower() for name in table_names(database)}
            views = {name.lower() for name in table_names(database, kinds=("view",))}
    except sqlite3.Error as error:
        raise UsageError(f"{file}: cannot get another table: {error}") from error
    if table.lower() in views:
        raise UsageError(f"{file}: {table!r} is a view; name another table")
    return table.lower() in there


def check_table(path: str, *, force: bool) -> None:
    """Raise `UsageError` if a table such as `reviews.db::labels` cannot be written."""
    file, part = split_part(path)
    table = part or DEFAULT_TABLE
    check_destination(file, force=True)
    if table.lower().startswith("sqlite_"):
        raise UsageError(f"{file}: {table!r} is a name that SQLite reserves; name another table")
    if Path(file).is_file() and not os.access(file, os.W_OK):
        raise UsageError(f"{file}: no permission to write to it")
    if has_table(path) and not force:
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
        self._rows = 0
        self._removal = contextlib.ExitStack()
        if not output.temporary.stat().st_size:
            _rollback(output.temporary).unlink(missing_ok=True)  # of a run that was killed
            self._removal = _rollback_removed(output.temporary)
        with self._explained():
            self._database = sqlite3.connect(output.temporary, check_same_thread=False)
            self._there = self._columns_there()
            added = [(False, names.prefix + name, 0) for name in new_columns]
            for key in (*_keys(columns), *added):
                self._add(key)

    def _columns_there(self) -> list[str]:
        """Return the columns that an interrupted run made, maybe more than it saved."""
        found = self._database.execute(f"PRAGMA table_info({self._table})")
        return [name for _, name, *_ in found]

    def adopt(self, columns: Sequence[str]) -> None:
        """See `RowWriter`."""
        late = [self._names.free(name) for name in ("error", "truncated")]
        for name in columns:
            if name not in self._columns.values():
                self._add((name not in late, name, 0))

    def copy(self, rows: Sequence[Row]) -> None:
        """See `RowWriter`."""
        keys = {name: key for key, name in self._columns.items()}
        cells = (zip(row.columns, row.cells, strict=True) for row in rows)
        self._insert([{keys[name]: cell for name, cell in each} for each in cells])

    def _own_state(self) -> State:
        return {"rows": self._rows, "columns": [*self._columns.items()]}

    def restore(self, state: State) -> None:
        """See `RowWriter`."""
        self._rows = state["rows"]
        self._columns = {_key(*key): name for key, name in state["columns"]}
        with self._explained():
            last = self._database.execute(f"SELECT max(rowid) FROM {self._table}")  # noqa: S608
            if (last.fetchone()[0] or 0) < self._rows:
                raise damaged(str(self._file.target))
            self._database.execute(f"DELETE FROM {self._table} WHERE rowid > ?", (self._rows,))  # noqa: S608

    def sync(self) -> None:
        """See `RowWriter`."""
        with self._explained():
            self._database.commit()

    def stays(self) -> None:
        """See `WholeOrNothing`."""
        super().stays()
        self._removal.close()

    def leave(self) -> None:
        """See `WholeOrNothing`."""
        self._database.close()
        super().leave()

    def _add(self, key: _Key) -> None:
        """Make a column, unless it is there, under a name that is free whatever its case."""
        if key in self._columns:
            return
        taken = {name.lower() for name in self._columns.values()}
        names = itertools.chain([key[1]], (f"{key[1]}_{n}" for n in itertools.count(2)))
        name = next(name for name in names if name.lower() not in taken)
        if name not in self._there:
            make = "ALTER TABLE {} ADD COLUMN {}" if self._columns else "CREATE TABLE {} ({})"
            self._database.execute(make.format(self._table, quoted(name)))
        self._columns[key] = name

    def _write(self, block: Block) -> None:
        found: list[dict[_Key, object]] = []
        for row, additions in block:
            cells = dict(zip(_keys(row.columns), row.cells, strict=True))
            found.append(cells | {(False, name, 0): value for name, value in additions.items()})
        self._insert(found)

    def _insert(self, found: Sequence[Mapping[_Key, object]]) -> None:
        with self._explained():
            for key in dict.fromkeys(key for cells in found for key in cells):
                self._add(key)
            names = ", ".join(map(quoted, self._columns.values()))
            marks = ", ".join("?" * len(self._columns))
            self._database.executemany(
                f"INSERT INTO {self._table} ({names}) VALUES ({marks})",  # noqa: S608
                ([_sql_value(cells.get(key)) for key in self._columns] for cells in found),
            )
        self._rows += len(found)

    def close(self) -> None:
        """See `RowWriter`."""
        with self._explained():
            self._database.commit()
            self._database.close()
            self._removal.close()
            if self._file.target.exists() and self._file.target.stat().st_size:
                self._copy_to(self._file.target)
            else:
                new = self._file.another()
                _rollback(new.temporary).unlink(missing_ok=True)
                try:
                    with _rollback_removed(new.temporary):
                        self._copy_to(new.temporary)
                    new.commit()
                except BaseException:
                    new.discard()
                    raise
        self._file.discard()

    def _copy_to(self, path: Path) -> None:
        """Copy the table into a database, replacing one of the same name."""
        target = sqlite3.connect(path, _SECONDS_TO_WAIT, isolation_level=None)
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
        self._removal.close()
        super().abort()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            way_out = "; free some space" if "is full" in str(error) else ""
            raise ResourceError(
                f"{self._file.target}: cannot be written: {error}{way_out}"
            ) from error


def _rollback(database: Path) -> Path:
    """Return the file in which SQLite keeps the changes of a transaction."""
    return database.with_name(f"{database.name}-journal")


def _rollback_removed(database: Path) -> contextlib.ExitStack:
    """Remove that file if the program ends before the result is closed."""
    return undo_at_sudden_end(partial(_rollback(database).unlink, missing_ok=True))


def _key(is_input: bool, name: str, number: int) -> _Key:
    return is_input, name, number


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
