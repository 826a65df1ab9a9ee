"""What people see: tables on stdout, notes and warnings on stderr. The only user of rich.

Data goes to stdout and everything else to stderr, always. A terminal gets a table; a pipe gets
tab-separated lines, which `cut`, `awk` and `sort` take as they are.
"""

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Literal

from distilcli.errors import spelled

TableFormat = Literal["auto", "table", "tsv", "csv", "json"]

Record = Mapping[str, object]


class Console:
    """One command's voice; with `quiet` it keeps its notes to itself."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet

    def note(self, *messages: str) -> None:
        """Say things useful to know on stderr, a line each."""
        if not self.quiet:
            for message in messages:
                _to_stderr(f"distil: {message}")

    def warn(self, message: str) -> None:
        """Say on stderr what the user must not miss, quiet or not."""
        _to_stderr(f"distil: warning: {message}")

    def show(
        self,
        records: Sequence[Record],
        *,
        footer: Sequence[Record],
        document: Record,
        title: str,
        table_format: TableFormat = "auto",
    ) -> None:
        """Write records, all with the same keys, to stdout; `footer` closes them.

        As JSON, `document` is written in their place.
        """
        if table_format == "json":
            sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        elif table_format == "table" or (table_format == "auto" and sys.stdout.isatty()):
            _write_table(records, footer, title)
        else:
            _write_lines([*records, *footer], "," if table_format == "csv" else "\t")


def _to_stderr(line: str) -> None:
    sys.stderr.write(spelled(line) + "\n")


def _write_lines(records: Sequence[Record], delimiter: str) -> None:
    writer = csv.writer(sys.stdout, delimiter=delimiter, lineterminator="\n")
    writer.writerow(records[0])
    for record in records:
        writer.writerow(
            [f"{cell:.4f}" if isinstance(cell, float) else cell for cell in record.values()]
        )


def _write_table(records: Sequence[Record], footer: Sequence[Record], title: str) -> None:
    # Rich takes 60 ms to import: who pipes, or asks for help, does not wait for it.
    import rich.console
    import rich.table
    import rich.text

    table = rich.table.Table(title=title, title_justify="left", box=None, pad_edge=False)
    every = [*records, *footer]
    for column in every[0]:
        is_number = all(isinstance(record[column], int | float | None) for record in every)
        justify: Literal["left", "right"] = "right" if is_number else "left"
        table.add_column(column.replace("_", " "), justify=justify, overflow="fold")
    for group in (records, footer):
        for record in group:
            # Text, because a cell may hold what rich would take for markup.
            table.add_row(*(rich.text.Text(_for_people(cell)) for cell in record.values()))
        table.add_section()
    # No terminal, no width to fit: a table in a file is never cut.
    width = None if sys.stdout.isatty() else 10_000
    rich.console.Console(file=sys.stdout, highlight=False, width=width).print(table)


def _for_people(cell: object) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, int):
        return f"{cell:,}"
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)
