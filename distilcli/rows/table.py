"""A table: the columns and the rows of one input."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from distilcli.errors import InputError
from distilcli.rows.blocks import LineBlocks
from distilcli.rows.place import Seek
from distilcli.rows.row import Row


@dataclass(frozen=True, slots=True)
class Table:
    """An opened input: its format, its columns and its rows.

    `notes` is what users should know. Parquet has the `types` of its columns. Without `seek` it
    can only be read from the beginning. A text file that shards cut by bytes has `blocks`; `total`
    is about how many rows others have, 0 if unknown.
    """

    format: str
    delimiter: str | None
    columns: tuple[str, ...]
    rows: Iterator[Row]
    notes: list[str] = field(default_factory=list)
    types: Sequence[object] = ()
    seek: Seek | None = None
    blocks: LineBlocks | None = None
    total: int = 0


@dataclass(frozen=True, slots=True)
class Given:
    """Rows that are in memory; `name` says in messages where they come from."""

    name: str
    columns: tuple[str, ...]
    cells: Sequence[Sequence[object]]
    format: str = "txt"

    def table(self) -> Table:
        """Return them as a table."""
        rows = (
            Row(self.columns, cells, self.name, line)
            for line, cells in enumerate(self.cells, start=1)
        )
        return Table(self.format, None, self.columns, rows)


def check_same_columns(
    first: tuple[str, tuple[str, ...]], name: str, columns: tuple[str, ...]
) -> None:
    """Raise `InputError` if a file has other columns than the `first`, by name and columns."""
    first_name, expected = first
    if columns == expected:
        return
    if sorted(columns) == sorted(expected):
        how = "has its columns in another order than"
    elif missing := [column for column in expected if column not in columns]:
        how = f"has no column {missing[0]!r}, unlike"
    elif surplus := [column for column in columns if column not in expected]:
        how = f"has a column {surplus[0]!r}, unlike"
    else:
        how = "does not have each column as often as"
    raise InputError(f"{name}: {how} {first_name}; give files with the same columns")
