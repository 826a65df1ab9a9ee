"""Parquet files, with the extra `parquet`: rows read in small batches, whatever the row groups."""

from collections.abc import Iterator, Sequence

from distilcli.errors import InputError
from distilcli.rows.extras import require_parquet
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

    def rows() -> Iterator[tuple[int, Sequence[object]]]:
        number = 0
        try:
            for batch in opened.iter_batches(_AT_ONCE):
                columns = [
                    column.to_pylist() if kind in texts else map(as_json_cell, column.to_pylist())
                    for kind, column in zip(schema.types, batch.columns, strict=True)
                ]
                for cells in zip(*columns, strict=True):
                    number += 1
                    yield number, cells
        except (arrow.ArrowException, OSError) as error:
            raise _damaged(file.name, error) from error

    return Store(file.name, tuple(schema.names), rows(), opened.metadata.num_rows)


def _damaged(name: str, error: Exception) -> InputError:
    return InputError(f"{name}: cannot be read as Parquet: {str(error).splitlines()[0]}")
