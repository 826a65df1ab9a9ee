"""What people see: tables on stdout, notes and warnings on stderr. Only this package uses rich.

Data always goes to stdout and everything else to stderr. A terminal gets a table; a pipe gets
tab-separated lines, ready for `cut`, `awk` and `sort`.
"""

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Literal

from distilcli import downloads
from distilcli.errors import spelled
from distilcli.escapes import visible

ROWS_SHOWN = 20
"""The most rows that a terminal gets unasked."""

TableFormat = Literal["auto", "table", "tsv", "csv", "json"]

Record = Mapping[str, object]


class Console:
    """Prints for one command; with `quiet` only data and warnings."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet

    def show_downloads(self) -> None:
        """Show a bar for each download of a model from now on, unless quiet."""
        from distilcli.console.progress import download_bar

        downloads.show = downloads.unseen if self.quiet else download_bar

    def note(self, *messages: str) -> None:
        """Write useful facts to stderr, a line each."""
        if not self.quiet:
            for message in messages:
                write_line(f"distil: {message}")

    def warn(self, message: str) -> None:
        """Write what the user must not miss to stderr, quiet or not."""
        write_line(f"distil: warning: {message}")

    def show(
        self,
        records: Sequence[Record],
        *,
        document: Record,
        title: str,
        table_format: TableFormat = "auto",
        optional: Sequence[str] = (),
        cropped: bool = False,
    ) -> None:
        """Write records, all with the same keys, to stdout; as JSON, `document` instead.

        A narrow terminal does without the columns that are `optional`; with `cropped`, a terminal
        gets as many records as it has room for.
        """
        if table_format == "json":
            _write_data(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        elif is_table(table_format):
            from distilcli.console.tables import print_table

            rows = [[*record.values()] for record in records]
            names = [name.replace("_", " ") for name in records[0]]
            shown = [name.replace("_", " ") for name in optional]
            print_table(title, names, rows, optional=shown, cropped=cropped)
        else:
            delimiter = "," if table_format == "csv" else "\t"
            lines = io.StringIO()
            writer = csv.writer(lines, delimiter=delimiter, lineterminator="\n")
            writer.writerow(records[0])
            for record in records:
                cells = record.values()
                writer.writerow(
                    f"{cell:.4f}" if isinstance(cell, float) else cell for cell in cells
                )
            _write_data(lines.getvalue())


def is_table(table_format: TableFormat) -> bool:
    """Tell whether stdout gets a table for people."""
    return table_format == "table" or (table_format == "auto" and sys.stdout.isatty())


def _write_data(text: str) -> None:
    sys.stdout.write(visible(text) if sys.stdout.isatty() else text)


def write_line(line: str) -> None:
    """Write a line to stderr, its settings spelled as flags; a terminal has it broken at words.

    The line is lost if stderr is a closed pipe or on a full disk; that does not end the command.
    """
    line = visible(spelled(line)).replace("\n", "\\n")
    if sys.stderr.isatty():
        from distilcli.console.terminal import wrapped

        line = wrapped(line)
    with suppress(OSError):
        sys.stderr.write(line + "\n")
