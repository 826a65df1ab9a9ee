"""A table: the columns and the rows of one input."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from distilcli.rows.row import Row


@dataclass(frozen=True, slots=True)
class Table:
    """An opened input: its format, its columns and its rows; `notes` is what users should know."""

    format: str
    delimiter: str | None
    columns: tuple[str, ...]
    rows: Iterator[Row]
    notes: list[str] = field(default_factory=list)


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
