"""Parquet files, with the extra `parquet`: rows read in small batches, whatever the row groups."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from distilcli.errors import InputError
from distilcli.rows.extras import require_parquet
from distilcli.rows.place import Place
from distilcli.rows.stores import Store, StoreFile, StoreRow, as_json_cell
from distilcli.wording import listing

_AT_ONCE = 4096
_BUFFER = 1 << 20


def read_parquet(file: StoreFile) -> Store:
    """Return the rows of a file; raise `InputError` if it is damaged or not Parquet."""
    arrow, parquet = require_parquet()
    try:
        opened = parquet.ParquetFile(file.path, buffer_size=_BUFFER, pre_buffer=False)
    except (arrow.ArrowException, OSError) as error:
        raise _damaged(file.name, error) from error
    file.resources.callback(opened.close)
    schema = opened.schema_arrow
    texts = (arrow.string(), arrow.large_string())

    place = Place()

    def rows_from(start: Place | None) -> Iterator[StoreRow]:
        groups, number = _groups_from(opened.metadata, start or Place())
        place.line = start.line if start else 1
        try:
            for batch in opened.iter_batches(_AT_ONCE, groups):
                columns = [
                    column.to_pylist() if kind in texts else map(as_json_cell, column.to_pylist())
                    for kind, column in zip(schema.types, batch.columns, strict=True)
                ]
                for index, cells in enumerate(zip(*columns, strict=True)):
                    number += 1
                    if number >= place.line:
                        place.line = number + 1
                        yield StoreRow(number, cells, (batch, index))
        except (arrow.ArrowException, OSError) as error:
            raise _damaged(file.name, error) from error

    notes = []
    if keys := sorted({part.split("=")[0] for part in Path(file.name).parts[:-1] if "=" in part}):
        notes.append(
            f"columns in folder names ({listing(keys)}) are not read; `file_column` adds the "
            "name of each row's file"
        )
    total = opened.metadata.num_rows
    columns = tuple(schema.names)
    return Store(file.name, columns, rows_from, total, lambda: replace(place), schema.types, notes)


def _groups_from(metadata: Any, place: Place) -> tuple[list[int], int]:
    """Return the row groups from the one at a place on, and the number of rows before them."""
    before = 0
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if before + rows >= place.line:
            return list(range(group, metadata.num_row_groups)), before
        before += rows
    return [], before


def common_types(every: Sequence[Sequence[object]]) -> list[object]:
    """Return types that can hold the columns of all files; None for a column without one.

    There are no types unless `every` file has them.
    """
    if not every or not all(every):
        return []
    arrow, _ = require_parquet()

    def common(kinds: Sequence[object]) -> object:
        if all(kind == kinds[0] for kind in kinds):
            return kinds[0]
        fields = [arrow.schema([arrow.field("", kind)]) for kind in kinds]
        try:
            return arrow.unify_schemas(fields, promote_options="permissive").field(0).type
        except arrow.ArrowException:
            return None

    return [common(kinds) for kinds in zip(*every, strict=True)]


def _damaged(name: str, error: Exception) -> InputError:
    return InputError(f"{name}: cannot be read as Parquet: {str(error).splitlines()[0]}")
