"""What a command over files does around its task: where rows go, what people see, how it ends."""

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from distilcli.console import Console
from distilcli.errors import UsageError

if TYPE_CHECKING:
    from distilcli.console.preview import Preview
    from distilcli.engine import Engine, Outcome
    from distilcli.predictors.int8_check import Agreement
    from distilcli.rows import Row, RowSource
    from distilcli.rows.writer import Block
    from distilcli.stats import RunStats
    from distilcli.tasks.files import Sink
    from distilcli.vectors.writer import VectorWriter

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
    """Where rows go and how they are written; `further` formats are the command's own."""

    path: str | None
    format: str
    prefix: str
    force: bool
    further: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise `UsageError` for a file that may not be written, before any work is done."""
        from distilcli.rows import check_destination
        from distilcli.rows.formats import output_format_of

        if self.path is not None:
            if self.format == "table":
                raise UsageError("--format table is for the terminal; leave --output out")
            check_destination(self.path, force=self.force)
            kind = (
                output_format_of(self.path, self.further) if self.format == "auto" else self.format
            )
            if kind == "parquet":
                from distilcli.rows.parquet import require_pyarrow

                require_pyarrow()

    @property
    def is_table(self) -> bool:
        """Whether people get a table instead of rows."""
        return self.format == "table" or (self.format == "auto" and self.is_terminal)

    @property
    def is_terminal(self) -> bool:
        """Whether what goes out is seen at once by people."""
        return self.path is None and sys.stdout.isatty()


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportOptions:
    """How the summary is given."""

    stats_file: str | None
    as_json: bool

    def check(self, *, output: str | None = None) -> None:
        """Raise `UsageError` for a file that cannot be written, before any work is done."""
        from distilcli.rows import check_destination, is_same_file

        if self.stats_file is None:
            return
        check_destination(self.stats_file, force=True)
        if output is not None and is_same_file(self.stats_file, output):
            raise UsageError(f"{output}: rows and --stats cannot share a file; name two")

    def spare(self, inputs: Sequence[Path]) -> None:
        """Raise `UsageError` if the statistics would be written over a file that is read."""
        from distilcli.rows import is_same_file

        if self.stats_file is None:
            return
        for path in inputs:
            if is_same_file(self.stats_file, path):
                raise UsageError(f"{path}: --stats would replace this input; name another file")


def run_over_files(
    console: Console,
    source: "RowSource",
    engine: "Engine[Row, Value]",
    columns: Columns[Value],
    *,
    text_columns: Sequence[str],
    stats: "RunStats",
    about: Mapping[str, object],
    output: OutputOptions,
    report: ReportOptions,
    preview: "Callable[..., Preview] | None" = None,
    open_vectors: "Callable[[], VectorWriter] | None" = None,
    on_block: "Callable[[list[Outcome[Row, Value]]], None] | None" = None,
    counted: str = "rows",
    agreement: "Agreement | None" = None,
) -> int:
    """Carry every row through the engine to where it goes; return the exit code.

    `text_columns` are those that the model reads; `about` says in the statistics what was run.
    With `open_vectors` the values go there and no rows are written. `on_block` sees each block of
    rows after it is written; `counted` are the things that have the labels in the summary.
    `agreement` is with the fp32 model, where that was asked.
    """
    from distilcli.console.progress import rows_progress
    from distilcli.console.summary import show_summary
    from distilcli.tasks.files import run_files

    counts: Counter[str] = Counter()
    # Rows that scroll by and a line that is drawn again and again do not share a terminal.
    scrolls = output.is_terminal and (source.is_stream or not output.is_table)

    def count(block: "list[Outcome[Row, Value]]") -> None:
        for outcome in block:
            if outcome.value is not None:
                counts.update(columns.counted(outcome.value))
        if on_block is not None:
            on_block(block)

    sink: Any = None
    try:
        with (
            source,
            open_vectors()
            if open_vectors
            else open_sink(console, source, columns.names, output, text_columns, preview) as sink,
            rows_progress(console, stats, source, shown=not scrolls),
        ):
            run_files(
                source,
                engine,
                _Unbroken(sink),
                names=columns.names,
                values=columns.values,
                stats=stats,
                on_block=count,
                live=source.is_stream,
            )
    except KeyboardInterrupt:
        note_unshown(console, sink)
        kept = f"{output.path} was not written" if output.path else "those are out, whole"
        console.warn(f"interrupted after {stats.rows:,} rows; {kept}; run again to start over")
        raise
    note_unshown(console, sink)
    if not report.as_json:
        show_summary(console, stats, counts, counted=counted, output=output.path)
    about = {**about, **told_agreement(console, agreement)}
    write_report({**about, "counts": dict(counts.most_common()), **stats.as_dict()}, report)
    return EXIT_SOME_ROWS_FAILED if stats.failed else 0


def told_agreement(console: Console, agreement: "Agreement | None") -> dict[str, Any]:
    """Say how far a model in int8 agreed with fp32, and return it for the report."""
    if agreement is None or agreement.share is None:
        return {}
    console.note(
        f"int8 agrees with fp32 on {agreement.share:.1%} of the first {agreement.rows:,} rows"
    )
    return agreement.as_dict()


def estimate_over_files(
    console: Console,
    source: "RowSource",
    engine: "Engine[Row, Any]",
    *,
    about: Mapping[str, object],
    report: ReportOptions,
) -> int:
    """Say what a run would take, and run nothing; return the exit code."""
    from distilcli.console.summary import show_estimate
    from distilcli.engine.estimate import estimate

    with source:
        expected = estimate(engine, source)
    if not report.as_json:
        show_estimate(console, expected)
    write_report({**about, **expected.as_dict()}, report)
    return 0


@dataclass(frozen=True, slots=True)
class _Unbroken:
    """A sink in which Ctrl-C waits until the rows in hand are out; a second one does not wait."""

    sink: "Sink"

    def write_rows(self, block: "Block") -> None:
        """See `Sink`."""
        from distilcli.interrupt import deferred_interrupt

        with deferred_interrupt() as interrupt:
            self.sink.write_rows(block)
        if interrupt.asked:
            raise KeyboardInterrupt


def open_sink(
    console: Console,
    source: "RowSource",
    new_columns: Sequence[str],
    output: OutputOptions,
    text_columns: Sequence[str] = (),
    preview: "Callable[..., Preview] | None" = None,
) -> Any:
    """Open the table or the writer that rows go to, and say if columns had to be renamed."""
    from distilcli.console.preview import Preview
    from distilcli.rows.writer import AddedNames, open_writer

    if output.is_table:
        names = AddedNames.chosen(source.columns, new_columns, output.prefix)
        is_live = source.is_stream and output.is_terminal
        sink: Any = (preview or Preview)(names, text_columns=text_columns, live=is_live)
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
            conll="conll" in output.further,
        )
        renamed, prefix = sink.renamed, sink.prefix
    if renamed:
        console.note(
            f"the input has columns of these names already: the new ones begin with {prefix!r}"
        )
    return sink


def note_unshown(console: Console, sink: Any) -> None:
    """Warn of late columns that a stream's header had no room for, and tell the errors there."""
    for column, rows in getattr(sink, "unshown", {}).items():
        console.warn(
            f"column {column!r} came after the header had gone out, values not shown: {rows:,}; "
            "write to a file with -o, or use --format jsonl"
        )
    for error in getattr(sink, "unshown_errors", ()):
        console.warn(error)
    if more := getattr(sink, "more_errors", 0):
        console.warn(f"… and {more:,} more")


def write_report(content: dict[str, object], report: ReportOptions) -> None:
    """Give a summary as JSON: to stderr, to a file, or not at all."""
    import json

    if report.as_json:
        sys.stderr.write(json.dumps(content, ensure_ascii=False) + "\n")
    if report.stats_file is not None:
        from distilcli.rows.output import write_text

        write_text(report.stats_file, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
