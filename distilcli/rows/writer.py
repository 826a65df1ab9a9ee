"""The one writer: rows with their additions to any output format.

Every input column goes out first, in place and untouched, and the new ones after it. A file
appears whole or not at all; a stream gets each block of rows at once. Additions that only some
rows have (`error`, `truncated`) become columns when they turn up: a file's header is rewritten at
the end, while a stream's header is made from its first block. What comes after that is counted in
`unshown`, and its first errors are kept in `unshown_errors`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from distilcli.errors import UsageError
from distilcli.rows.compression import decompress
from distilcli.rows.conll_writer import ConllWriter
from distilcli.rows.delimited import Records, join, join_header
from distilcli.rows.file_output import FileOutput
from distilcli.rows.formats import (
    OUTPUT_FORMATS,
    STORE_FORMATS,
    STREAMED_FORMATS,
    known_format,
    output_format_of,
    split_part,
    split_suffixes,
)
from distilcli.rows.jsonl import as_cell, object_text, splice
from distilcli.rows.layout import Layout
from distilcli.rows.lines import checked_encoding, read_lines
from distilcli.rows.output import Output, State, open_output
from distilcli.rows.parquet_writer import ParquetWriter
from distilcli.rows.row import Row
from distilcli.rows.row_writer import AddedNames, Block, RowWriter, unique_names
from distilcli.rows.sqlite_writer import SqliteWriter, check_table

_ERRORS_KEPT = 20


def open_writer(
    destination: str | Path | TextIO,
    *,
    columns: Sequence[str],
    new_columns: Sequence[str],
    input_format: str,
    delimiter: str | None = None,
    output_format: str | None = None,
    prefix: str = "",
    force: bool = False,
    conll: bool = False,
    types: Sequence[object] = (),
    goes_on: bool = False,
) -> RowWriter:
    """Return a writer of rows that were read with `columns`, `input_format` and `delimiter`.

    `destination` is a path or an open text stream. The format is `output_format`, else that of
    the path's suffix, else the input's own (texts become TSV, what cannot be streamed JSONL). With
    `conll` the new columns are those of a `ConllWriter`, so that rows may be written as CoNLL.
    Parquet keeps the `types` of the columns. If one of `new_columns` is an input column already,
    all are renamed. With `goes_on` the writer continues what an earlier one left, once its
    `restore` is called. Raises `UsageError` for a file that cannot be written, before anything is.
    """
    if isinstance(destination, Path):
        destination = str(destination)
    kind = _kind(destination, output_format, input_format, conll=conll)
    names = AddedNames.chosen(columns, new_columns, prefix)
    compression = split_suffixes(destination)[1] if isinstance(destination, str) else None
    table = None
    if kind == "sqlite" and isinstance(destination, str):
        check_table(destination, force=force)
        destination, table = split_part(destination)
        force = True  # other tables stay
    output = open_output(destination, compression, force=force, table=table, goes_on=goes_on)
    if kind == "conll":
        return ConllWriter(output)
    if kind in ("jsonl", "json"):
        return JsonWriter(output, names, array=kind == "json")
    if kind in STORE_FORMATS:
        try:
            if kind == "sqlite":
                return SqliteWriter(output, names, columns, new_columns, table)
            return ParquetWriter(output, names, columns, new_columns, types)
        except UsageError:
            output.discard()
            raise
    separator = written_delimiter(kind, input_format, delimiter) or ","
    layout = Layout(columns, [names.prefix + name for name in new_columns])
    return DelimitedWriter(output, names, layout, separator, compression)


def written_delimiter(kind: str, input_format: str, delimiter: str | None) -> str | None:
    """Return the delimiter of an output of that kind; from CSV to CSV it stays the same.

    None is for formats without one.
    """
    if kind == "csv":
        return delimiter if input_format == "csv" and delimiter is not None else ","
    return "\t" if kind == "tsv" else None


def _kind(
    destination: str | TextIO, output_format: str | None, input_format: str, *, conll: bool
) -> str:
    further = ("conll",) if conll else ()
    if output_format is not None:
        return known_format(output_format, (*OUTPUT_FORMATS, *further), "output_format")
    if isinstance(destination, str):
        return output_format_of(destination, further)
    if input_format in (*STREAMED_FORMATS, *further):
        return input_format
    return "tsv" if input_format == "txt" else "jsonl"


class JsonWriter(RowWriter):
    """JSON lines, or with `array` a JSON array with one element per line."""

    def __init__(self, output: Output, names: AddedNames, *, array: bool) -> None:
        super().__init__(output, names)
        self._array = array
        self._begun = False
        self._keys: dict[tuple[str, ...], tuple[str, ...]] = {}

    def copy(self, rows: Sequence[Row]) -> None:
        """See `RowWriter`."""
        self._write([(row, {}) for row in rows])

    def _write(self, block: Block) -> None:
        objects = [self._object(row, additions) for row, additions in block]
        if not self._array:
            self._output.write("\n".join([*objects, ""]))
        elif objects:
            self._output.write((",\n" if self._begun else "[\n") + ",\n".join(objects))
            self._begun = True

    def _own_state(self) -> State:
        return {"begun": self._begun}

    def _set_own_state(self, state: State) -> None:
        self._begun = state["begun"]

    def _object(self, row: Row, additions: Mapping[str, object]) -> str:
        if row.raw is not None:
            return splice(row.raw, additions, empty=not row.columns)
        keys = self._keys.get(row.columns)
        if keys is None:
            keys = self._keys[row.columns] = unique_names(row.columns)
        return object_text({**dict(zip(keys, row.cells, strict=True)), **additions})

    def close(self) -> None:
        """See `RowWriter`."""
        if self._array:
            self._output.write("\n]\n" if self._begun else "[]\n")
        super().close()


class DelimitedWriter(RowWriter):
    """CSV and TSV, whose header must name all columns before the first row."""

    def __init__(
        self,
        output: Output,
        names: AddedNames,
        layout: Layout,
        delimiter: str,
        compression: str | None,
    ) -> None:
        super().__init__(output, names)
        self._layout = layout
        self._delimiter = delimiter
        self._compression = compression
        self._header_width: int | None = None
        self._rows = 0
        self._widths: dict[int, int] = {}  # from the row with this index on

    def adopt(self, columns: Sequence[str]) -> None:
        """See `RowWriter`."""
        self._layout.adopt(columns)
        self._write_header()

    def copy(self, rows: Sequence[Row]) -> None:
        """See `RowWriter`."""
        surplus = [""] * (len(self._layout) - len(rows[0].cells))
        cells = ([*map(as_cell, row.cells), *surplus] for row in rows)
        self._count_rows(len(rows))
        self._output.write("".join(join(row_cells, self._delimiter) for row_cells in cells))

    def _write(self, block: Block) -> None:
        if not block:
            return
        may_grow = self._header_width is None or isinstance(self._output, FileOutput)
        for row, additions in block:
            missing = self._layout.missing(row, additions)
            if may_grow:
                self._layout.add(missing)
            else:
                self._count_unshown(missing, additions)
        if self._header_width is None:
            self._write_header()
        self._count_rows(len(block))
        cells = (self._layout.cells(row, additions) for row, additions in block)
        self._output.write("".join(join(row_cells, self._delimiter) for row_cells in cells))

    def _count_rows(self, rows: int) -> None:
        if len(self._layout) not in self._widths.values():
            self._widths[self._rows] = len(self._layout)
        self._rows += rows

    def _own_state(self) -> State:
        return {
            "columns": self._layout.found(),
            "header_width": self._header_width,
            "rows": self._rows,
            "widths": list(self._widths.items()),
        }

    def _set_own_state(self, state: State) -> None:
        self._layout.take(state["columns"])
        self._header_width = state["header_width"]
        self._rows = state["rows"]
        self._widths = dict(state["widths"])

    def _count_unshown(
        self, missing: Sequence[tuple[bool, str]], additions: Mapping[str, object]
    ) -> None:
        self.unshown.update(name for _, name in missing)
        for is_input, name in missing:
            if is_input or not name.endswith("error"):
                continue
            if len(self.unshown_errors) < _ERRORS_KEPT:
                self.unshown_errors.append(str(additions[name]))
            else:
                self.more_errors += 1

    def _write_header(self) -> None:
        self._layout.settle()
        self._header_width = len(self._layout)
        if self._header_width:
            self._output.write(join_header(self._layout.header(), self._delimiter))

    def close(self) -> None:
        """See `RowWriter`."""
        if self._header_width is None:
            self._write_header()
        if isinstance(self._output, FileOutput) and self._header_width != len(self._layout):
            self._with_full_header(self._output).commit()
            self._output.discard()
        else:
            super().close()

    def _with_full_header(self, written: FileOutput) -> FileOutput:
        """Copy the rows, one at a time, under a header with the late columns too."""
        written.finish()
        whole = written.another()
        try:
            with written.temporary.open("rb", buffering=0) as packed:
                chunks = decompress(packed, self._compression, str(written.temporary))
                lines = read_lines(chunks, checked_encoding("utf-8"), str(written.temporary))
                is_tabbed = self._delimiter == "\t"
                records = Records(
                    lines, self._delimiter, str(written.temporary), stray_quotes=is_tabbed
                )
                if self._header_width:
                    records.width = self._header_width
                    next(records)
                whole.write(join_header(self._layout.header(), self._delimiter))
                order = self._layout.order()
                for row in range(self._rows):
                    records.width = self._widths.get(row, records.width)
                    record = next(records)
                    cells = record.cells + [""] * (len(order) - len(record.cells))
                    whole.write(join([cells[index] for index in order], self._delimiter))
        except BaseException:
            whole.discard()
            raise
        return whole
