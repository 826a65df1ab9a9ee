"""What an evaluation found, for people as tables and for programs as lines or JSON."""

import sys
from typing import TYPE_CHECKING

from distilcli.console import Console, TableFormat

if TYPE_CHECKING:
    from distilcli.evaluation.report import Report
    from distilcli.evaluation.results.base import Record
    from distilcli.evaluation.run import Outcome

_MOST_SLICES = 20


def show_evaluation(
    console: Console, report: "Report", *, by: str | None, table_format: TableFormat
) -> None:
    """Write a report to stdout: on a terminal tables, else a line for each figure.

    With slices, lines begin with the slice, empty for all rows, and the number of its rows.
    """
    is_table = table_format == "table" or (table_format == "auto" and sys.stdout.isatty())
    records = report.records()
    if report.slices and not is_table:
        records = [
            *_sliced("", report.rows, records, like=records[0]),
            *(
                line
                for one in report.slices
                for line in _sliced(one.name, one.rows, one.records(), like=records[0])
            ),
        ]
    console.show(
        records,
        document=report.as_dict(),
        title=f"{report.rows:,} rows" if report.rows != 1 else "1 row",
        table_format=table_format,
    )
    if not is_table:
        return
    for table in report.tables:
        if table.records:
            console.show(table.records, document={}, title=table.title,
                         table_format="table")  # fmt: skip
    if report.slices:
        left = len(report.slices) - _MOST_SLICES
        shown = [one.record() for one in report.slices[:_MOST_SLICES]]
        console.show(shown, document={}, title=f"by {by}", table_format="table")
        if left > 0:
            console.note(f"{left:,} more slices; --format tsv or json has them all")


def tell_of_rows(console: Console, outcome: "Outcome") -> None:
    """Say how many rows were left out without a label, and how many have an empty text."""
    if outcome.unlabelled:
        console.note(f"rows without what is expected, left out: {outcome.unlabelled:,}")
    if outcome.empty:
        console.warn(f"rows with an empty text, which count all the same: {outcome.empty:,}")


def _sliced(name: str, rows: int, records: "list[Record]", *, like: "Record") -> "list[Record]":
    """Return the lines of a slice, with the columns of a line that is `like` them."""
    empty = dict.fromkeys(like)
    return [{"slice": name, "rows": rows, **empty, **record} for record in records]
