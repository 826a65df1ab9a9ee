"""Rows to Parquet, with the extra `parquet`: new columns get types, Parquet columns keep theirs.

Parquet fixes its columns before the first row. So rows are held back until one of them has all its
new values, whose types become the columns' types. `error` and `truncated`, which only some rows
have, are always columns.

A Parquet file cannot be continued. So blocks are written as Arrow batches, one after the other,
which become the row groups of a Parquet file at the end. Until then, dictionary columns hold plain
values.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from distilcli.errors import InputError, UsageError
from distilcli.rows.extras import require_parquet
from distilcli.rows.file_output import FileOutput
from distilcli.rows.jsonl import as_cell
from distilcli.rows.output import Output, State
from distilcli.rows.row import NumberText, Row
from distilcli.rows.row_writer import AddedNames, Block, RowWriter, unique_names

Cells = dict[str, object]

_MOST_WAITING = 20_000
_WHOLE = b"schema of the file"


class ParquetWriter(RowWriter):
    """A Parquet file, a row group per block; numbers and vectors stay typed, lists are JSON.

    Columns of the input are text, unless it is Parquet and they have `types`.
    """

    def __init__(
        self,
        output: Output,
        names: AddedNames,
        columns: Sequence[str],
        new_columns: Sequence[str],
        types: Sequence[object],
    ) -> None:
        """Raise `UsageError` if the output is not a file or pyarrow is missing."""
        super().__init__(output, names)
        if not isinstance(output, FileOutput):
            raise UsageError("Parquet cannot be streamed; name an output file, FILE.parquet")
        self._arrow, self._parquet = require_parquet()
        self._output: FileOutput = output
        self._columns = unique_names(columns)
        kept = zip(self._columns, enumerate(types), strict=False)
        self._kept = {name: place for name, place in kept if place[1] is not None}
        self._new_columns = [names.prefix + name for name in new_columns]
        self._late = [names.free(name) for name in ("error", "truncated")]
        self._waiting: list[tuple[Row, Cells]] = []
        self._schema: Any = None
        self._batch_schema: Any = None

    def _write(self, block: Block) -> None:
        for row, added in block:
            cells = dict(zip(unique_names(row.columns), map(as_cell, row.cells), strict=True))
            self._waiting.append((row, {**cells, **added}))
        latest = self._waiting[len(self._waiting) - len(block) :]
        may_open = len(self._waiting) >= _MOST_WAITING or any(self._is_whole(c) for _, c in latest)
        if self._waiting and (self._schema is not None or may_open):
            self._write_waiting()

    def adopt(self, columns: Sequence[str]) -> None:  # noqa: ARG002 - those of its schema
        """See `RowWriter`."""
        self._begin(self._parquet.read_schema(self._output.target))

    def copy(self, rows: Sequence[Row]) -> None:
        """See `RowWriter`."""
        kinds = {field.name: field.type for field in self._schema}
        for row in rows:
            cells = zip(row.columns, row.cells, strict=True)
            self._waiting.append(
                (row, {name: self._typed(cell, kinds[name]) for name, cell in cells})
            )
        self._write_waiting()

    def _typed(self, cell: object, kind: Any) -> object:
        """Turn numbers that were read as text back into numbers, in lists too."""
        if isinstance(cell, list):
            return [self._typed(each, kind.value_type) for each in cell]
        if isinstance(cell, NumberText):
            return int(cell) if self._arrow.types.is_integer(kind) else float(cell)
        return cell

    def _is_whole(self, cells: Cells) -> bool:
        return all(cells.get(name) is not None for name in self._new_columns)

    def _write_waiting(self) -> None:
        if self._schema is None:
            self._open()
        known = set(self._schema.names)
        for row, cells in self._waiting:
            if surplus := cells.keys() - known:
                raise InputError(
                    f"{row.source}: line {row.line}: has a column {min(surplus)!r} that the first "
                    "rows lack, and Parquet fixes its columns; write JSONL"
                )
        batches = self._waiting_batches()
        arrays = [
            self._stored(field.type, self._kept[field.name][0], batches)
            if field.name in self._kept
            else self._array(field.type, [cells.get(field.name) for _, cells in self._waiting])
            for field in self._batch_schema
        ]
        self._waiting = []
        batch = self._arrow.RecordBatch.from_arrays(arrays, schema=self._batch_schema)
        self._output.write_bytes(batch.serialize())

    def _open(self) -> None:
        """Fix the columns: the input's by their types or as text, the new ones by their values."""
        arrow = self._arrow
        inputs = dict.fromkeys(self._columns)
        inputs |= dict.fromkeys(
            name for row, _ in self._waiting for name in unique_names(row.columns)
        )
        text = (0, arrow.string())
        fields = [arrow.field(name, self._kept.get(name, text)[1]) for name in inputs]
        for name in self._new_columns:
            values = (cells[name] for _, cells in self._waiting if cells.get(name) is not None)
            fields.append(arrow.field(name, self._type(next(values, None))))
        kinds = (arrow.string(), arrow.bool_())
        fields += [arrow.field(name, kind) for name, kind in zip(self._late, kinds, strict=True)]
        self._begin(arrow.schema(fields))

    def _begin(self, schema: Any) -> None:
        types = self._arrow.types
        fields = [
            field.with_type(field.type.value_type) if types.is_dictionary(field.type) else field
            for field in schema
        ]
        whole = {_WHOLE: schema.serialize().to_pybytes()}
        self._schema, self._batch_schema = schema, self._arrow.schema(fields, metadata=whole)
        self._output.write_bytes(self._batch_schema.serialize())

    def _type(self, value: object) -> object:
        arrow = self._arrow
        if isinstance(value, bool):
            return arrow.bool_()
        if isinstance(value, int):
            return arrow.int64()
        if isinstance(value, float):
            return arrow.float64()
        if hasattr(value, "dtype") and hasattr(value, "ndim"):  # a vector, or vectors of tokens
            numbers = arrow.list_(arrow.from_numpy_dtype(value.dtype))
            return numbers if value.ndim == 1 else arrow.list_(numbers)
        return arrow.string()

    def _waiting_batches(self) -> list[tuple[Any, list[int]]]:
        """Return the batches that hold the waiting rows, each with the indices of these."""
        batches: list[tuple[Any, list[int]]] = []
        for batch, index in (row.stored for row, _ in self._waiting if row.stored is not None):
            if not batches or batches[-1][0] is not batch:
                batches.append((batch, []))
            batches[-1][1].append(index)
        return batches

    def _stored(self, kind: object, column: int, batches: list[tuple[Any, list[int]]]) -> object:
        """Return the values of a Parquet column as they are stored."""
        parts = (batch.column(column).take(self._arrow.array(rows)) for batch, rows in batches)
        none = self._arrow.array([], kind)
        return self._arrow.concat_arrays([none, *(part.cast(kind) for part in parts)])

    def _array(self, kind: object, values: Sequence[Any]) -> object:
        if kind == self._arrow.string():
            values = [None if value is None else as_cell(_plain(value)) for value in values]
        return self._arrow.array([list(v) if hasattr(v, "dtype") else v for v in values], kind)

    def state(self) -> State | None:
        """See `RowWriter`; rows that wait for their columns are not written yet."""
        return None if self._waiting else super().state()

    def _own_state(self) -> State:
        return {"is_open": self._schema is not None}

    def _set_own_state(self, state: State) -> None:
        if state["is_open"]:
            with self._written_batches() as batches:
                self._batch_schema = batches.schema
            whole = self._arrow.py_buffer(self._batch_schema.metadata[_WHOLE])
            self._schema = self._arrow.ipc.read_schema(whole)

    @contextlib.contextmanager
    def _written_batches(self) -> Iterator[Any]:
        with (
            self._output.explained(),
            self._arrow.OSFile(str(self._output.temporary)) as file,
            self._arrow.ipc.open_stream(file) as batches,
        ):
            yield batches

    def close(self) -> None:
        """See `RowWriter`."""
        if self._waiting or self._schema is None:
            self._write_waiting()
        self._output.finish()
        whole = self._output.another()
        try:
            with (
                self._written_batches() as batches,
                self._parquet.ParquetWriter(whole.file, self._schema) as writer,
            ):
                for batch in batches:
                    table = self._arrow.Table.from_batches([batch])
                    writer.write_table(table.cast(self._schema))
            whole.commit()
        except BaseException:
            whole.discard()
            raise
        self._output.discard()


def _plain(value: object) -> object:
    return value.tolist() if hasattr(value, "tolist") else value
