"""Data for the library's functions: paths of files, or rows in memory, as one source of rows."""

from collections.abc import Iterable, Mapping, Sequence
from numbers import Number
from pathlib import Path
from typing import Any

from distilcli.errors import UsageError
from distilcli.rows.reader import RowSource, open_rows
from distilcli.rows.table import Given

Data = str | Path | Sequence[str | Path] | Iterable[Mapping[str, object]]
"""One or more paths, or rows as mappings from column to value."""


def is_files(data: Data) -> bool:
    """Say whether data are paths, and not rows."""
    if isinstance(data, str | Path):
        return True
    return isinstance(data, Sequence) and all(isinstance(each, str | Path) for each in data)


def open_data(data: Data, *, name: str, **settings: Any) -> RowSource:
    """Open files or rows; `name` is what messages call rows in memory.

    `settings` are those of `open_rows`. A DataFrame counts as rows. Raises what `open_rows` does.
    """
    if isinstance(data, str | Path):
        return open_rows([str(data)], **settings)
    if is_files(data):
        return open_rows(list(map(str, data)), **settings)
    every: list[object] = data.to_dict("records") if hasattr(data, "to_dict") else [*data]
    records = [record for record in every if isinstance(record, Mapping)]
    if len(records) < len(every):
        raise UsageError(f"{name}: give paths, or rows as mappings from column to value")
    columns = tuple(dict.fromkeys(str(column) for record in records for column in record))
    cells = [[_cell(record.get(column)) for column in columns] for record in records]
    kept = {key: settings[key] for key in ("text_column", "join", "limit") if key in settings}
    return open_rows(given=Given(name, columns, cells, "jsonl"), **kept)


def _cell(value: object) -> object:
    """Return a value as cells have it: numbers as text, NaN as None, also within lists."""
    if isinstance(value, Mapping):
        return {key: _cell(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_cell(part) for part in value]
    if isinstance(value, bool) or not isinstance(value, Number):
        return value
    return None if value != value else str(value)  # noqa: PLR0124
