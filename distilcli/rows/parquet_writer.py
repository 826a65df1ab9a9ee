"""Rows to Parquet, with the extra `parquet`: new columns are typed, and those of Parquet stay so.

Parquet fixes its columns before the first row. So rows are held back until one has all its new
values, whose types become the columns' types; and `error` and `truncated`, which only some rows
have, are always columns.
"""

import contextlib
from collections.abc import Sequence
from typing import Any

from distilcli.errors import InputError, UsageError
from distilcli.rows.extras import require_parquet
from distilcli.rows.jsonl import as_cell
from distilcli.rows.output import FileOutput, Output
from distilcli.rows.row import Row
from distilcli.rows.row_writer import AddedNames, Block, RowWriter, unique_names

Cells = dict[str, object]

_MOST_WAITING = 20_000


class ParquetWriter(RowWriter):
    """A Parquet file, a row group per block; numbers and vectors stay typed, lists are JSON.

    Columns of the input are texts, unless it is Parquet and they have `types`.
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
        self._writer: Any = None
        self._schema: Any = None

    def _write(self, block: Block) -> None:
        for row, added in block:
            cells = dict(zip(unique_names(row.columns), map(as_cell, row.cells), strict=True))
            self._waiting.append((row, {**cells, **added}))
        latest = self._waiting[len(self._waiting) - len(block) :]
        may_open = len(self._waiting) >= _MOST_WAITING or any(self._is_whole(c) for _, c in latest)
        if self._waiting and (self._writer is not None or may_open):
            self._write_waiting()

    def _is_whole(self, cells: Cells) -> bool:
        return all(cells.get(name) is not None for name in self._new_columns)

    def _write_waiting(self) -> None:
        if self._writer is None:
            self._open()
        known = set(self._schema.names)
        for row, cells in self._waiting:
            if surplus := cells.keys() - known:
                raise InputError(
                    f"{row.source}: line {row.line}: has a column {min(surplus)!r} that the first "
                    "rows lack, and Parquet fixes its columns; write JSONL"
                )
        batches = self._batches()
        arrays = [
            self._stored(field.type, self._kept[field.name][0], batches)
            if field.name in self._kept
            else self._array(field.type, [cells.get(field.name) for _, cells in self._waiting])
            for field in self._schema
        ]
        self._waiting = []
        with self._output.explained():
            self._writer.write_table(self._arrow.table(arrays, schema=self._schema))

    def _open(self) -> None:
        """Fix the columns: the input's by their types or as text, the new ones by the values."""
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
        self._schema = arrow.schema(fields)
        self._writer = self._parquet.ParquetWriter(self._output.file, self._schema)

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

    def _batches(self) -> list[tuple[Any, list[int]]]:
        """Return the batches that hold the waiting rows, each with the indices of these."""
        batches: list[tuple[Any, list[int]]] = []
        for batch, index in (row.stored for row, _ in self._waiting if row.stored is not None):
            if not batches or batches[-1][0] is not batch:
                batches.append((batch, []))
            batches[-1][1].append(index)
        return batches

    def _stored(self, kind: object, column: int, batches: list[tuple[Any, list[int]]]) -> object:
        """Return the values of a column of Parquet as they are stored."""
        parts = (batch.column(column).take(self._arrow.array(rows)) for batch, rows in batches)
        return self._arrow.chunked_array([part.cast(kind) for part in parts], kind)

    def _array(self, kind: object, values: Sequence[Any]) -> object:
        if kind == self._arrow.string():
            values = [None if value is None else as_cell(_plain(value)) for value in values]
        return self._arrow.array([list(v) if hasattr(v, "dtype") else v for v in values], kind)

    def close(self) -> None:
        """See `RowWriter`."""
        if self._waiting or self._writer is None:
            self._write_waiting()
        with self._output.explained():
            self._writer.close()
        super().close()

    def abort(self) -> None:
        """See `RowWriter`."""
        if self._writer is not None:
            # It writes a footer, so it must be closed before the file is.
            with contextlib.suppress(Exception):
                self._writer.close()
        super().abort()


def _plain(value: object) -> object:
    return value.tolist() if hasattr(value, "tolist") else value
