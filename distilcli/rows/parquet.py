"""Parquet files, with the extra `parquet`: rows read in small batches, whatever the row groups."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from distilcli.errors import InputError
from distilcli.rows.extras import require_parquet
from distilcli.rows.place import Place
from distilcli.rows.stores import Store, StoreFile, as_json_cell

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

    def rows_from(start: Place | None) -> Iterator[tuple[int, Sequence[object]]]:
        groups, number = _groups_from(opened.metadata, start or Place())
        place.line = start.line if start else 1
        try:
            for batch in opened.iter_batches(_AT_ONCE, groups):
                columns = [
                    column.to_pylist() if kind in texts else map(as_json_cell, column.to_pylist())
                    for kind, column in zip(schema.types, batch.columns, strict=True)
                ]
                for cells in zip(*columns, strict=True):
                    number += 1
                    if number >= place.line:
                        place.line = number + 1
                        yield number, cells
        except (arrow.ArrowException, OSError) as error:
            raise _damaged(file.name, error) from error

    return Store(
        file.name, tuple(schema.names), rows_from, opened.metadata.num_rows, lambda: replace(place)
    )


def _groups_from(metadata: Any, place: Place) -> tuple[list[int], int]:
    """Return the row groups from that of a place on, and the number of rows before them."""
    before = 0
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if before + rows >= place.line:
            return list(range(group, metadata.num_row_groups)), before
        before += rows
    return [], before


def _damaged(name: str, error: Exception) -> InputError:
    return InputError(f"{name}: cannot be read as Parquet: {str(error).splitlines()[0]}")
