"""What a command over files does around its task: where rows go, what people see, how it ends."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from distilcli.console import Console
from distilcli.errors import UsageError

if TYPE_CHECKING:
    from distilcli.engine import Engine, Outcome
    from distilcli.rows import Row, RowSource
    from distilcli.stats import RunStats

Value = TypeVar("Value")
Value_contra = TypeVar("Value_contra", contravariant=True)

EXIT_SOME_ROWS_FAILED = 6


class Columns(Protocol[Value_contra]):
    """How the values of a task are laid out in the columns of a row."""

    @property
    def names(self) -> Sequence[str]:
        """The new columns, in order."""

    def values(self, value: Value_contra) -> Sequence[object]:
        """Return what goes into them for one row."""

    def counted(self, value: Value_contra) -> Sequence[str]:
        """Return what the row counts as in the summary."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputOptions:
    """Where rows go and how they are written."""

    path: str | None
    format: str
    prefix: str
    force: bool

    def check(self) -> None:
        """Raise `UsageError` for a file that may not be written, before any work is done."""
        from distilcli.rows import check_destination

        if self.path is not None:
            if self.format == "table":
                raise UsageError("--format table is for the terminal; leave --output out")
            check_destination(self.path, force=self.force)

    @property
    def is_table(self) -> bool:
        """Whether people get a table instead of rows."""
        return self.format == "table" or (
            self.format == "auto" and self.path is None and sys.stdout.isatty()
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportOptions:
    """How the summary is given."""

    stats_file: str | None
    as_json: bool


def run_over_files(
    console: Console,
    source: "RowSource",
    engine: "Engine[Row, Value]",
    columns: Columns[Value],
    *,
    stats: "RunStats",
    about: Mapping[str, object],
    output: OutputOptions,
    report: ReportOptions,
) -> int:
    """Carry every row through the engine to where it goes; return the exit code.

    `about` says in the statistics what was run.
    """
    from distilcli.console.live import rows_progress
    from distilcli.console.results import show_summary
    from distilcli.tasks.files import run_files

    counts: Counter[str] = Counter()

    def count(block: "list[Outcome[Row, Value]]") -> None:
        for outcome in block:
            if outcome.value is not None:
                counts.update(columns.counted(outcome.value))

    try:
        with (
            source,
            open_sink(console, source, columns.names, output) as sink,
            rows_progress(console, stats, source),
        ):
            run_files(
                source,
                engine,
                sink,
                names=columns.names,
                values=columns.values,
                stats=stats,
                on_block=count,
            )
    except KeyboardInterrupt:
        kept = "nothing was written" if output.path else "the rows before it went out whole"
        console.warn(f"interrupted after {stats.rows:,} rows; {kept}; run again to start over")
        raise
    note_unshown(console, sink)
    if not report.as_json:
        show_summary(console, stats, counts)
    write_report({**about, "counts": dict(counts.most_common()), **stats.as_dict()}, report)
    return EXIT_SOME_ROWS_FAILED if stats.failed else 0


def estimate_over_files(
    console: Console,
    source: "RowSource",
    engine: "Engine[Row, Any]",
    *,
    about: Mapping[str, object],
    report: ReportOptions,
) -> int:
    """Say what a run would take, and run nothing; return the exit code."""
    from distilcli.console.results import show_estimate
    from distilcli.tasks.estimate import estimate

    with source:
        expected = estimate(engine, source)
    if not report.as_json:
        show_estimate(console, expected)
    write_report({**about, **expected.as_dict()}, report)
    return 0


def open_sink(
    console: Console, source: "RowSource", new_columns: Sequence[str], output: OutputOptions
) -> Any:
    """Open the table or the writer that rows go to, and say if columns had to be renamed."""
    from distilcli.console.results import Preview
    from distilcli.rows.writer import AddedNames, open_writer

    if output.is_table:
        names = AddedNames.chosen(source.columns, new_columns, output.prefix)
        sink: Any = Preview(names)
        renamed, prefix = names.renamed, names.prefix
    else:
        sink = open_writer(
            output.path or sys.stdout,
            columns=source.columns,
            new_columns=new_columns,
            input_format=source.format,
            delimiter=source.delimiter,
            output_format=None if output.format == "auto" else output.format,
            prefix=output.prefix,
            force=output.force,
        )
        renamed, prefix = sink.renamed, sink.prefix
    if renamed:
        console.note(
            f"the input has columns of these names already: the new ones begin with {prefix!r}"
        )
    return sink


def note_unshown(console: Console, sink: Any) -> None:
    """Warn of late columns that a stream's header had no room for."""
    for column, rows in getattr(sink, "unshown", {}).items():
        console.warn(
            f"{rows:,} rows have a value for {column!r}, which came after the header had gone "
            "out; write to a file with -o, or use --format jsonl"
        )


def write_report(content: dict[str, object], report: ReportOptions) -> None:
    """Give a summary as JSON: to stderr, to a file, or not at all."""
    import json

    if report.as_json:
        sys.stderr.write(json.dumps(content, ensure_ascii=False) + "\n")
    if report.stats_file is not None:
        from distilcli.rows.output import write_text

        write_text(report.stats_file, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
