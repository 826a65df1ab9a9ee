"""The one reader: files, pipes and texts to rows, one at a time and each as soon as it comes.

Nothing is opened before the first row or the columns are needed. Then every header is read, so
that a file that does not fit is found before any work is done. An unusable row has an `error`;
the caller decides what happens to it.
"""

import contextlib
import itertools
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from distilcli.errors import InputError, UsageError, spelled
from distilcli.rows.blocks import NEVER, Grid
from distilcli.rows.cuts import Cut, find_cut, find_place, numbered
from distilcli.rows.field_limit import within
from distilcli.rows.formats import (
    INPUT_FORMATS,
    JSON_FORMATS,
    TABLE_FORMATS,
    checked_delimiter,
    known_format,
)
from distilcli.rows.inputs import ByteSource, Input, find_inputs
from distilcli.rows.lines import checked_encoding
from distilcli.rows.parquet import common_types
from distilcli.rows.place import Place
from distilcli.rows.row import (
    JoinedColumns,
    Row,
    default_text_column,
    find_column,
    find_usual_column,
)
from distilcli.rows.shard import Shard
from distilcli.rows.table import Given, Table, check_same_columns
from distilcli.rows.tables import ReadSettings, open_table
from distilcli.rows.whole_files import file_table, whole_text, with_file_column

_ROWS_PER_MARK = 256


def open_rows(
    paths: Sequence[str] = (),
    *,
    texts: Sequence[str] = (),
    given: Given | None = None,
    input_format: str | None = None,
    text_column: str | None = None,
    join: str | None = None,
    encoding: str = "utf-8",
    delimiter: str | None = None,
    no_header: bool = False,
    word_column: int | None = None,
    limit: int | None = None,
    whole_files: bool = False,
    file_column: str | None = None,
    max_field_bytes: int | None = None,
) -> "RowSource":
    """Return the rows of files, globs and standard input (`-`), or of `texts` or `given` rows.

    `texts` make a column `text`. `text_column` is a name or, for JSON, a dotted path; by default
    a usual name is looked for. Several (`a,b`) are joined by `join`, by default a blank.
    `word_column` is the number of CoNLL's column with the words, from 1. With `no_header` the
    columns of delimited files and sheets are `1`, `2`, …. `limit` is the maximum number of rows.
    Blank lines are skipped, except in plain text, where each line is a row. With `whole_files`
    each file, also of a folder, is a row: its text, and its name in the column `file`.
    `file_column` is the name of that column, which any rows may have. A cell of more than
    `max_field_bytes` makes its row unusable; by default lines may have 64 MiB.

    Checks all paths and opens none: raises `InputError` for what cannot be read and `UsageError`
    for settings that make no sense.
    """
    if texts:
        given = Given(spelled("`texts`"), ("text",), [[text] for text in texts])
    if not paths and given is None:
        raise UsageError("nothing to read; give files, - for standard input, or `texts`")
    if paths and given is not None:
        raise UsageError(f"files and {given.name} do not go together; give one of them")
    if (input_format or delimiter or no_header or word_column) and (
        given is not None or whole_files
    ):
        what = "`whole_files`" if given is None else given.name
        raise UsageError(
            f"`input_format`, `delimiter`, `no_header` and `word_column` are for files, not {what}"
        )
    for name, value in (("whole_files", whole_files), ("file_column", file_column)):
        if given is not None and value:
            raise UsageError(f"`{name}` is for files, not {given.name}")
    settings = ReadSettings(
        text_column=text_column,
        join=" " if join is None else join,
        encoding=checked_encoding(encoding),
        delimiter=None if delimiter is None else checked_delimiter(delimiter),
        no_header=no_header,
        word_column=word_column,
        max_field_bytes=max_field_bytes,
    )
    if given is not None:
        return RowSource((), given, settings, limit)
    if whole_files:
        input_format, file_column = "txt", file_column or "file"
    elif input_format is not None:
        input_format = known_format(input_format, INPUT_FORMATS, "input_format")
    inputs = find_inputs(paths, input_format, whole=whole_files)
    return RowSource(
        inputs, None, settings, limit, whole_files=whole_files, file_column=file_column
    )


class RowSource:
    """The rows of a run, in order, iterated once; a context manager that closes its file.

    `columns`, `text_column`, `format` and `delimiter` are those of the first input; they read
    only up to its first row, which is kept. `file_column` holds the names of files, if any does.
    """

    def __init__(
        self,
        inputs: Sequence[Input],
        given: Given | None,
        settings: ReadSettings,
        limit: int | None,
        *,
        whole_files: bool = False,
        file_column: str | None = None,
    ) -> None:
        self._inputs = inputs
        self._given = given
        self._settings = settings
        self._whole_files = whole_files
        self.file_column = file_column
        self._first: Table | None = None
        self._headers: list[tuple[str, tuple[str, ...]]] = []
        self._types: list[Sequence[object]] = []
        self._bytes: ByteSource | None = None
        self._bytes_before = 0
        self._grid = Grid([source.size or 0 for source in inputs])
        self._begin, self._end = Cut(0, 0), Cut(max(1, len(inputs)), 0)
        self._bounds = 0, self._grid.total  # bytes
        self._is_cut = False
        self._goes_on = False
        self._noted: set[str] = set()
        self._tables: list[Table] = []
        self._limit = sys.maxsize if limit is None else min(limit, sys.maxsize)
        self._rows: Iterator[Row] = self._limited(Mark())
        self._marks: deque[Mark] = deque([Mark()])
        self._keeps_marks = False

    def __iter__(self) -> Iterator[Row]:
        most = self._settings.max_field_bytes
        return self._rows if most is None else within(self._rows, most)

    def __enter__(self) -> "RowSource":
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def keep(self, wanted: Callable[[Row], bool]) -> None:
        """Leave out the rows that are not `wanted`."""
        self._rows = filter(wanted, self._rows)

    def keep_marks(self) -> None:
        """Record where rows are, for `mark`; call this before they are read."""
        self._keeps_marks = True

    def take(self, shard: Shard) -> None:
        """Read only the rows of a shard; call this before they are read.

        Raises `UsageError` where rows have no place in files, or only some of them are read.
        """
        if not self._inputs or self.is_stream:
            streams = (source.name for source in self._inputs if source.size is None)
            name = next(streams, self.name)
            raise UsageError(f"`shard` needs files that can be read in part, not {name}")
        if self._limit != sys.maxsize:
            raise UsageError("`limit` and `shard` do not go together; give one of them")
        self._bounds = shard.bounds(self._grid.total)
        self._begin, self._end = (
            find_cut(bound, self._grid, self._opened) for bound in self._bounds
        )
        place = find_place(self._begin, self._grid, self._opened)
        self._is_cut = self._end.block == 0 and self._end.input < len(self._inputs)
        first = Mark(0, self._begin.input, place)
        self._rows, self._marks = self._limited(first), deque([first])

    def again(self) -> "RowSource":
        """Return a new source of the same rows, all of them."""
        return RowSource(
            self._inputs,
            self._given,
            self._settings,
            None if self._limit == sys.maxsize else self._limit,
            whole_files=self._whole_files,
            file_column=self.file_column,
        )

    @property
    def blocks(self) -> int:
        """About how many blocks the files have: no more shards than that have rows."""
        return -(-self._grid.total // self._grid.size)

    @property
    def is_part(self) -> bool:
        """Whether other rows come before or after these in another run; known at the end."""
        return self._is_cut or self._goes_on or self._begin > Cut(0, 0)

    @property
    def cuts(self) -> tuple[Cut, Cut]:
        """The first block that is read, and the first one that is not."""
        return self._begin, self._end

    def mark(self, rows: int) -> "Mark":
        """Return the last known place with at most `rows` rows before it; forget earlier ones."""
        while len(self._marks) > 1 and self._marks[1].rows <= rows:
            self._marks.popleft()
        return self._marks[0]

    def go_on(self, mark: "Mark", rows: int) -> None:
        """Skip that many rows, reading only those after the mark; call this before all else."""
        self._rows = itertools.islice(self._limited(mark), rows - mark.rows, None)
        self._marks = deque([mark])
        self._goes_on = rows > 0

    def close(self) -> None:
        """Close the open file."""
        if self._bytes is not None:
            self._bytes.close()

    def new_notes(self) -> list[str]:
        """Return what users should know of the inputs and have not been told, a line each."""
        found = [note for table in self._tables for note in table.notes]
        new = [note for note in dict.fromkeys(found) if note not in self._noted]
        self._noted.update(new)
        return new

    @property
    def name(self) -> str:
        """The name of the input, for messages."""
        if self._given is not None:
            return self._given.name
        others = len(self._inputs) - 1
        return self._inputs[0].name + (f" and {others} more" if others else "")

    @property
    def paths(self) -> list[Path]:
        """The paths of the files; standard input has none."""
        return [source.path for source in self._inputs if source.path is not None]

    @property
    def named_paths(self) -> list[tuple[str, Path]]:
        """The files, with the names that messages use for them."""
        return [(source.name, source.path) for source in self._inputs if source.path is not None]

    @property
    def is_stream(self) -> bool:
        """Whether rows may take any time to come: from standard input or a named pipe."""
        return any(source.size is None for source in self._inputs)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the first input; for JSONL the keys of its first object."""
        return self._first_table().columns

    @property
    def format(self) -> str:
        """The format of the first input; rows given without files count as txt."""
        return self._first_table().format

    @property
    def delimiter(self) -> str | None:
        """The delimiter of the first input; None if it is not delimited."""
        return self._first_table().delimiter

    @property
    def types(self) -> list[object]:
        """The columns' Arrow types if all inputs are Parquet; None for a column without one."""
        first = self._first_table()
        return common_types(self._types or [first.types])

    @property
    def text_column(self) -> str:
        """The column (or path) that holds the text; raises `InputError` if a file lacks it."""
        found = self._found_text_column()
        parts = found.parts if isinstance(found, JoinedColumns) else [found]
        for name, columns in self._headers:
            for part in parts:
                if part not in columns:
                    raise InputError(
                        f"{name}: has no column {part!r}, the text of {self._inputs[0].name}; "
                        "give files with the same columns"
                    )
        return found

    def _found_text_column(self) -> str:
        wanted = self._settings.text_column
        if self.format in JSON_FORMATS and not self.columns:
            return wanted or "text"
        if wanted is None:
            return default_text_column(
                self.columns,
                self.name,
                complete=self.format not in JSON_FORMATS,
                delimited=self.delimiter is not None and not self._settings.no_header,
            )
        return self.find_column(wanted)

    def find_column(self, wanted: str) -> str:
        """Return a column by its name or path, or several (`a,b`) as one.

        Raises `InputError` if the first input lacks it, `UsageError` if one is named twice.
        """
        if "," in wanted and wanted not in self.columns:
            parts = [self.find_column(part) for part in wanted.split(",") if part]
            if twice := [part for part in parts if parts.count(part) > 1]:
                raise UsageError(f"the column {twice[0]!r} is named twice in {wanted!r}")
            return JoinedColumns.of(parts, self._settings.join)
        return find_column(self.columns, wanted, self.name, dotted=self.format in JSON_FORMATS)

    def usual_column(self, *usual: str, option: str, wanted: str | None = None) -> str:
        """Return the `wanted` column, else the first with a usual name, or that of plain text.

        Raises `InputError` naming the `option` that sets the column.
        """
        if wanted is not None:
            return self.find_column(wanted)
        if self.format == "txt" and self.columns[0] == "text":
            return "text"
        if self.format in JSON_FORMATS and not self.columns:
            return usual[0]
        return find_usual_column(self.columns, usual, self.name, option=option)

    @property
    def bytes_read(self) -> int:
        """Bytes read so far, before decompression; of a shard those within it."""
        read = self._bytes_before + (self._bytes.bytes_read if self._bytes else 0)
        if self.is_stream:
            return read
        first, last = self._bounds
        return max(0, min(read, last) - first)

    @property
    def bytes_total(self) -> int | None:
        """Bytes of all files or the shard; None if a stream or a text is among the inputs."""
        first, last = self._bounds
        return None if not self._inputs or self.is_stream else last - first

    def _first_table(self) -> Table:
        if self._first is None:
            if self._given is not None:
                self._first = self._given.table()
            else:
                self._check_headers()
                self._first = self._open(self._inputs[0])
        return self._first

    def _check_headers(self) -> None:
        """Check the header of every regular file, so that none fails after hours of work."""
        if len(self._inputs) == 1 or self._whole_files:
            return
        first: tuple[str, tuple[str, ...]] | None = None
        for source in self._inputs:
            if source.size is None:
                self._types.append(())
                continue
            file = ByteSource(source)
            try:
                table = open_table(source, file, self._settings)
            finally:
                file.close()
            self._types.append(table.types)
            if table.format not in JSON_FORMATS:
                self._headers.append((source.name, table.columns))
            if table.format in TABLE_FORMATS:
                first = first or (source.name, table.columns)
                check_same_columns(first, source.name, table.columns)

    def _open(self, source: Input) -> Table:
        if self._bytes is not None:
            self._bytes_before += self._bytes.bytes_read
            self._bytes.close()
        self._bytes = ByteSource(source)
        try:
            table = self._table(source, self._bytes)
        except BaseException:
            self._bytes.close()
            raise
        self._tables.append(table)
        if self.file_column is None:
            return table
        return with_file_column(table, self.file_column, source.name)

    def _table(self, source: Input, file: ByteSource) -> Table:
        if self._whole_files:
            return file_table(source, file.chunks, self._settings.encoding)
        return open_table(source, file, self._settings, self._grid.size)

    @contextlib.contextmanager
    def _opened(self, index: int) -> Iterator[Table]:
        """Open a file for a look at it."""
        file = ByteSource(self._inputs[index])
        try:
            yield self._table(self._inputs[index], file)
        finally:
            file.close()

    def _limited(self, start: "Mark") -> Iterator[Row]:
        try:
            yield from itertools.islice(self._all_rows(start), self._limit - start.rows)
        finally:
            self.close()

    def _all_rows(self, start: "Mark") -> Iterator[Row]:
        first = self._first_table()
        number = start.rows
        for index in range(start.input, self._end.input + (self._end.block > 0)):
            table = self._open(self._inputs[index]) if index else first
            if index and {first.format, table.format} <= {*TABLE_FORMATS}:
                name = self._inputs[index].name
                check_same_columns((self._inputs[0].name, first.columns), name, table.columns)
            rows, seek, place = table.rows, table.seek, None
            if index == start.input:
                self._bytes_before = self._grid.start(index)
                place = start.place
            if place is not None and seek is not None:
                rows = seek.rows_from(place)
            if self._keeps_marks:
                self._marks.append(Mark(number, index, place))
            for row in self._taken(index, table, rows, place):
                yield row
                number += 1
                if number % _ROWS_PER_MARK or seek is None or not self._keeps_marks:
                    continue
                place = seek.after(row)
                if place is not None:
                    self._marks.append(Mark(number, index, place))

    def _taken(
        self, index: int, table: Table, rows: Iterator[Row], place: Place | None
    ) -> Iterator[Row]:
        """Yield the rows of a file that are in the shard, and mark those that begin a block."""
        first = self._begin.block if index == self._begin.input else 0
        size = self._grid.rows(index, table.total) if self._inputs else NEVER
        last, begins = -1, index > 0 and self._grid.begins(index)
        for block, row in numbered(table, rows, size, place.line - 1 if place else 0):
            if block != last:
                if Cut(index, block) >= self._end:
                    self._is_cut = True
                    return
                row.begins_block = begins or last >= 0
                last = block
            if block >= first:
                yield row


@dataclass(frozen=True, slots=True)
class Mark:
    """A place among the rows: the number of rows before it, the index of its input, and where.

    Without a place it is the beginning of the input.
    """

    rows: int = 0
    input: int = 0
    place: Place | None = None


def read_text(path: str, *, encoding: str = "utf-8") -> str:
    """Return the whole text of a file, or of standard input (`-`), decompressed and decoded.

    Raises `InputError` and `UsageError` as `open_rows` and its rows do.
    """
    source, *others = find_inputs([path], "txt")
    if others:
        raise UsageError(f"{path}: {len(others) + 1} files match; name one")
    file = ByteSource(source)
    try:
        return whole_text(file.chunks, checked_encoding(encoding), source.name)
    finally:
        file.close()
