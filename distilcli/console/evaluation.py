"""Evaluation reports: tables for people, lines or JSON for programs."""

from typing import TYPE_CHECKING

from distilcli.console import Console, TableFormat, is_table
from distilcli.wording import count, listing

if TYPE_CHECKING:
    from distilcli.evaluation.abstention import Found
    from distilcli.evaluation.evaluation import Outcome
    from distilcli.evaluation.report import Report

_MOST_SLICES = 20


def show_evaluation(
    console: Console, report: "Report", *, by: str | None, table_format: TableFormat
) -> None:
    """Write a report to stdout: tables on a terminal, else a line for each metric.

    With slices, a line begins with the slice, empty for all rows, and its number of rows.
    """
    has_tables, records = is_table(table_format), report.records()
    if report.slices and not has_tables:
        empty = dict.fromkeys(records[0])
        parts = [(one.name, one.rows, one.records()) for one in report.slices]
        records = [
            {"slice": name, "rows": rows, **empty, **line}
            for name, rows, lines in [("", report.rows, records), *parts]
            for line in lines
        ]
    title = count(report.rows, "row")
    console.show(records, document=report.as_dict(), title=title, table_format=table_format)
    if not has_tables:
        return
    for table in report.tables:
        if table.records:
            console.show(table.records, document={}, title=table.title, table_format="table")
    if report.slices:
        left = len(report.slices) - _MOST_SLICES
        shown = [one.record() for one in report.slices[:_MOST_SLICES]]
        console.show(shown, document={}, title=f"by {by}", table_format="table")
        if left > 0:
            console.note(f"and {left:,} more; all with `table_format` tsv or json")


def show_thresholds(console: Console, found: "Found", model: str) -> None:
    """Say what thresholds were found, how sure one may be of them, and where they are."""
    from distilcli.checkpoint.locate import is_of_user

    if found.abstention is None:
        return
    console.note(
        f"{model} {found.abstention.described()}; that holds on as many new rows like these with "
        f"a probability of {found.confidence:g} (Learn then Test, exact tails)"
    )
    if found.without:
        console.warn(
            f"no threshold keeps the error low enough for {listing(found.without)}: never given"
        )
    if not is_of_user(model):
        console.note(f"{model} is no folder of yours, so that the thresholds are not saved")


def show_row_notes(console: Console, outcome: "Outcome") -> None:
    """Say how many rows lack a gold label or a text, or were in the model's training."""
    if outcome.errors:
        skipped = count(len(outcome.errors), "row")
        console.note(
            f"{skipped} skipped without a usable gold label, the first: {outcome.errors[0]}"
        )
    if outcome.empty:
        console.warn(f"{count(outcome.empty, 'row')} evaluated with an empty text")
    if outcome.seen:
        rows, were = len(outcome.results), "was" if outcome.seen == 1 else "were"
        which = "this row" if rows == 1 else f"{outcome.seen:,} of these {rows:,} rows"
        console.warn(f"{which} {were} in its training")
