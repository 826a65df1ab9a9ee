"""A run over files: rows through the engine of a task, what people see of it, and how it ends."""

import gc
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import typer

from distilcli import __version__
from distilcli.commands._declare import GivenOptions
from distilcli.commands._option_groups import (
    Compute,
    LongTexts,
    Report,
    Reproducible,
    RowsIn,
    RowsOut,
    Scale,
    check_outputs,
)
from distilcli.commands._unfinished import Tally, Unfinished, check_again, is_finished
from distilcli.console import Console
from distilcli.errors import UsageError
from distilcli.escapes import visible
from distilcli.wording import count as count_of

if TYPE_CHECKING:
    from distilcli.commands._ray import Finished
    from distilcli.console.preview import Preview
    from distilcli.engine import Engine, Outcome
    from distilcli.predictors.agreement import Agreement
    from distilcli.predictors.base import AnyPredictor
    from distilcli.rows import Given, Row, RowSource
    from distilcli.rows.retry import RetriedRows
    from distilcli.rows.row_writer import RowWriter
    from distilcli.rows.shard import Shard
    from distilcli.stats import RunStats
    from distilcli.tasks.files import Blocks, Columns
    from distilcli.vectors.writer import VectorWriter

Value = TypeVar("Value")
Result = TypeVar("Result")

EXIT_SOME_ROWS_FAILED = 6
_LONG_SECONDS = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class FileOptions:
    """The options of every command that runs a model over files."""

    rows: RowsIn
    out: RowsOut
    long: LongTexts
    compute: Compute
    reproducible: Reproducible
    scale: Scale
    report: Report
    given: GivenOptions = field(default_factory=GivenOptions)
    values: Mapping[str, object] = field(default_factory=dict)
    command: str = ""
    runner: "Callable[[FileRun[Any, Any]], int] | None" = None

    def predictor_settings(self) -> dict[str, Any]:
        """Return the keywords of every predictor."""
        return {
            **self.compute.settings(),
            "long_texts": self.long.settings(),
            "keep_empty": self.rows.keep_empty,
            "deterministic": self.reproducible.deterministic,
        }

    def provenance(self, predictor: "AnyPredictor") -> dict[str, str]:
        """Return the digest and version that made the results, if they were asked for."""
        if not self.reproducible.provenance:
            return {}
        return {"model_digest": predictor.digest(), "distil_version": __version__}

    def _check_output(self) -> None:
        """Raise `UsageError` for a file that may not be written."""
        from distilcli.rows.remote import is_remote

        if self.out.output is None or not is_remote(self.out.output):
            self.out.check()
        elif self.scale.engine != "ray":
            raise UsageError(
                f"{self.out.output}: only `engine` ray writes to object stores; name a file here"
            )

    def open_rows(
        self, text_column: str | None = None, *, given: "Given | None" = None
    ) -> "RowSource":
        """Check the outputs, open the rows, and check the model without loading it.

        With `engine` ray the whole run is done by its workers, and `typer.Exit` is raised after it.
        Raises `UsageError` for a file that may not be written, `InputError` for one that cannot
        be read, and `ModelError` for a model that is missing or for another command.
        """
        from distilcli.tasks.settings import check_reproducible

        check_again(self)
        shard = self.scale.parsed()
        if shard is not None and self.out.output is None and not self.report.dry_run:
            raise UsageError("`shard` needs a file for its part of the rows; add `output` FILE")
        is_shared = shard is not None or self.scale.engine == "ray"
        if is_shared and self.compute.precision == "auto":
            raise UsageError(
                "`precision` auto may choose another one for each part of the rows; name one"
            )
        if self.scale.engine != "ray":
            of_ray = ("workers", "gpus_per_worker", "ray_address")
            self.given.refuse(of_ray, "is for Ray; add `engine` ray")
        self._check_output()
        self.report.check_dry_run()
        self.report.check(output=self.out.output)
        source = self.rows.open(text_column, given=given)
        # A part in the place of an input would lose the rows of all others.
        check_outputs({"output": self.out.output}, () if shard is None else source.paths)
        if shard is not None:
            source.take(shard)
        if self.scale.engine == "ray" and self.runner is None:
            from distilcli.commands._ray import check_ray

            check_ray(self, source)
        self.report.check(source.paths)
        self.long.settings()
        check_reproducible(self.compute.precision, deterministic=self.reproducible.deterministic)
        if self.compute.model or "model" in self.given:
            self.compute.check(self.command)
        if self.scale.engine == "ray" and self.runner is None:
            from distilcli.commands._ray import run_on_ray

            raise typer.Exit(_report_finished(self, source, run_on_ray(self, source)))
        # What follows loads torch, whose objects stay: collecting garbage among them takes a
        # seventh of that time. `FileRun` collects again, and so does `main` at the end.
        gc.disable()
        return source


@dataclass(frozen=True, kw_only=True, slots=True)
class FileRun(Generic[Value, Result]):
    """One run of a predictor over rows.

    `text_columns` are those that the model reads; `preview` makes the table for a terminal.
    `select` chooses which results are written (all of them by default), and `on_block` gets each
    block after that. With `open_vectors` the values go there and no rows are written.
    `counted` is the plural of what the labels in the summary belong to; `facts` go into the report.
    An interrupted run can be continued only if it `can_go_on`. `marks` are added to each row.
    """

    options: FileOptions
    source: "RowSource"
    predictor: "AnyPredictor"
    engine: "Engine[Row, Value]"
    columns: "Columns[Result]"
    text_columns: Sequence[str]
    preview: "Callable[..., Preview] | None" = None
    open_vectors: "Callable[[str, bool], VectorWriter] | None" = None
    select: "Callable[[Blocks[Value]], Blocks[Result]] | None" = None
    on_block: "Callable[[list[Outcome[Row, Result]]], None] | None" = None
    counted: str = "rows"
    facts: Mapping[str, object] = field(default_factory=dict)
    can_go_on: bool = True
    marks: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "marks", self.options.provenance(self.predictor))
        if self.options.scale.shard is not None and not self.can_go_on:
            raise UsageError("`shard` reads a part of the rows, and this result needs all of them")

    def run(self) -> int:
        """Run every row, or with --dry-run only estimate the cost; return the exit code."""
        gc.enable()
        if self.options.runner is not None:
            return self.options.runner(self)
        from distilcli.stats import RunStats

        predictor, source = self.predictor, self.source
        named = ", ".join(map(repr, self.text_columns))
        plural = "s" if len(self.text_columns) > 1 else ""
        read = "" if source.format == "txt" else f", text column{plural} {named}"
        self.options.report.console.note(predictor.described() + read, *source.new_notes())
        if (shard := self.options.scale.parsed()) is not None:
            self.options.report.console.note(f"shard {shard} of the rows")
        about: dict[str, object] = {
            "command": self.options.command,
            "model": predictor.name,
            "precision": predictor.precision,
            "input": source.name,
            **self.marks,
        }
        if self.options.report.dry_run:
            return self._estimate(about)
        stats = RunStats(device=predictor.device, load_seconds=predictor.load_seconds)
        return self._run(about, stats)

    def run_part(self, shard: "Shard", output: str, stats: "RunStats") -> bool:
        """Run a shard into a file of its own, unless an earlier run has; say nothing.

        Returns whether it had to run.
        """
        out = replace(self.options.out, output=output, resume=True)
        options = replace(
            self.options,
            out=out,
            scale=Scale(shard=str(shard)),
            report=Report(quiet=True),
            runner=None,
        )
        source = self.source.again()
        source.take(shard)
        part = replace(self, options=options, source=source)
        if is_finished(options, source, self.predictor):
            return False
        part._run({}, stats)
        return True

    def _estimate(self, about: dict[str, object]) -> int:
        from distilcli.console.summary import show_estimate
        from distilcli.engine.estimate import estimate

        report = self.options.report
        with self.source:
            expected = estimate(self.engine, self.source)
        if not report.json_summary:
            show_estimate(report.console, expected)
        write_report({**about, **asdict(expected)}, report)
        return 0

    def _run(self, about: dict[str, object], stats: "RunStats") -> int:
        from distilcli.console.progress import rows_progress
        from distilcli.console.summary import show_summary
        from distilcli.interrupt import deferred_interrupt
        from distilcli.memory import rare_collections
        from distilcli.tasks.files import run_files

        source, out, report = self.source, self.options.out, self.options.report
        console = report.console
        tally = Tally()
        unfinished = Unfinished(self.options, source, self.predictor, possible=self.can_go_on)
        sink: Any = None

        def count(block: "list[Outcome[Row, Result]]") -> None:
            tally.written += len(block)
            for outcome in block:
                if outcome.value is not None:
                    tally.counts.update(self.columns.counted(outcome.value))
            if self.on_block is not None:
                self.on_block(block)
            unfinished.note(sink, tally)

        # Rows that scroll by and a line that is redrawn do not share a terminal.
        scrolls = out.is_terminal and (source.is_stream or not out.is_table)
        try:
            with (
                source,
                self._open_sink(console, goes_on=unfinished.goes_on) as sink,
                rows_progress(console, stats, source, shown=not scrolls),
                unfinished.watched(stats, tally, sink),
                deferred_interrupt(),
                rare_collections(),
            ):
                run_files(
                    source,
                    self.engine,
                    sink,
                    self.columns,
                    stats=stats,
                    select=self.select,
                    on_block=count,
                    live=source.is_stream,
                    is_part=lambda: source.is_part,
                    marks=self.marks,
                )
        except BaseException as error:
            note_unshown(console, sink)
            self._tell_what_is_left(error, stats.rows, tally.written, unfinished.saved_rows)
            raise
        kept = {"kept_rows": sink.kept_rows} if out.retry_errors else {}
        tally.written += sum(kept.values())
        unfinished.ended(tally, stats, self._added(sink))
        note_unshown(console, sink)
        console.note(*source.new_notes())
        if not report.json_summary:
            show_summary(
                console,
                stats,
                tally.counts,
                counted=self.counted,
                output=out.output,
                written=tally.written,
            )
            hint_at_auto(console, self.options.given, self.predictor.may_be_slow, stats)
        about |= {"precision": self.predictor.precision}  # auto may have gone back to fp32
        about |= {**noted_agreement(console, self.predictor.agreement), **self.facts, **kept}
        counts = dict(tally.counts.most_common())
        write_report({**about, "counts": counts, **stats.as_dict()}, report)
        return EXIT_SOME_ROWS_FAILED if stats.failed else 0

    @property
    def _new_columns(self) -> list[str]:
        return [*self.columns.names, *self.marks]

    def _added(self, sink: Any) -> list[str]:
        """Return the names of the new columns in the output."""
        return [getattr(sink, "prefix", "") + name for name in self._new_columns]

    def _tell_what_is_left(self, error: BaseException, rows: int, written: int, saved: int) -> None:
        """Say what an interrupted run leaves behind, and how to continue."""
        output, console = self.options.out.output, self.options.report.console
        interrupted = f"interrupted after {count_of(rows, 'row')}"
        if saved:
            what = interrupted if isinstance(error, KeyboardInterrupt) else "not complete"
            console.warn(
                f"{what}; {count_of(saved, 'row')} of {output} saved; repeat the command with "
                "`resume` to continue"
            )
        elif isinstance(error, KeyboardInterrupt):
            kept = "those were written in full" if written else "nothing was written"
            kept = f"{output} was not written" if output else kept
            console.warn(f"{interrupted}; {kept}; run again to start over")

    def _open_sink(
        self, console: Console, *, goes_on: bool
    ) -> "RowWriter | Preview | VectorWriter | RetriedRows":
        if self.open_vectors is not None:
            return self.open_vectors(str(self.options.out.output), goes_on)
        file_column = [self.source.file_column] if self.source.file_column else []
        sink = open_sink(
            console, self.source, self._new_columns, self.options.out,
            text_columns=[*self.text_columns, *file_column], preview=self.preview, goes_on=goes_on,
        )  # fmt: skip
        return self._retried(sink) if self.options.out.retry_errors else sink

    def _retried(self, writer: Any) -> "RetriedRows":
        """Run only the rows that need it again, and return the output for all rows."""
        from distilcli.rows.retry import RetriedRows, Retry
        from distilcli.rows.writer import written_delimiter

        out, kind = self.options.out, self.options.out.written_format
        with ExitStack() as unless_opened:
            unless_opened.callback(writer.abort)
            retry = Retry(
                str(out.output),
                kind,
                written_delimiter(kind, self.source.format, self.source.delimiter),
                [writer.prefix + name for name in self._new_columns],
                writer.free_name("error"),
            )
            self.source.keep(retry.wanted)
            retried = RetriedRows(writer, retry)
            unless_opened.pop_all()
            return retried


def _report_finished(options: FileOptions, source: "RowSource", run: "Finished") -> int:
    """Say what a run has done that others carried out; return the exit code."""
    from distilcli.console.summary import show_summary

    report = options.report
    if not report.json_summary:
        show_summary(
            report.console,
            run.stats,
            run.counts,
            counted=run.counted,
            output=options.out.output,
            written=run.written,
        )
    about = {"command": options.command, "input": source.name, **run.about}
    counts = dict(run.counts.most_common())
    write_report({**about, "counts": counts, **run.stats.as_dict()}, report)
    return EXIT_SOME_ROWS_FAILED if run.stats.failed else 0


def noted_agreement(console: Console, agreement: "Agreement | None") -> dict[str, Any]:
    """Note how far a faster precision agrees with fp32, and return it for the report."""
    if agreement is None or agreement.share is None:
        return {}
    console.note(agreement.described())
    return agreement.as_dict()


def hint_at_auto(
    console: Console, given: GivenOptions, may_be_slow: bool, stats: "RunStats"
) -> None:
    """Say after a long run in fp32 that something else may be faster, unless fp32 was asked for."""
    if may_be_slow and stats.seconds > _LONG_SECONDS and "precision" not in given:
        console.note(
            "`precision` auto may be faster here: it takes the fastest that agrees with fp32"
        )


def open_sink(
    console: Console,
    source: "RowSource",
    new_columns: Sequence[str],
    out: RowsOut,
    *,
    text_columns: Sequence[str] = (),
    preview: "Callable[..., Preview] | None" = None,
    goes_on: bool = False,
) -> "RowWriter | Preview":
    """Open the table or the writer for the rows; note whether columns had to be renamed."""
    from distilcli.console.preview import Preview
    from distilcli.rows.row_writer import AddedNames
    from distilcli.rows.writer import open_writer

    if out.is_table:
        names = AddedNames.chosen(source.columns, new_columns, out.prefix)
        is_live = source.is_stream and out.is_terminal
        sink: RowWriter | Preview = (preview or Preview)(
            names, text_columns=text_columns, live=is_live
        )
        renamed, prefix = names.renamed, names.prefix
    else:
        sink = open_writer(
            out.output or sys.stdout,
            columns=source.columns,
            new_columns=new_columns,
            input_format=source.format,
            delimiter=source.delimiter,
            types=source.types,
            output_format=None if out.output_format == "auto" else out.output_format,
            prefix=out.prefix,
            force=out.replaces,
            conll="conll" in out.formats,
            goes_on=goes_on,
        )
        renamed, prefix = sink.renamed, sink.prefix
    if renamed:
        console.note(
            f"the input already has columns of these names; the new ones begin with {prefix!r}"
        )
    return sink


def note_unshown(console: Console, sink: object) -> None:
    """Warn of columns and errors that came too late for the header of a stream."""
    from distilcli.rows.row_writer import RowWriter

    if not isinstance(sink, RowWriter):
        return
    for column, rows in sink.unshown.items():
        console.warn(
            f"column {column!r} came after the header had gone out, values not shown: {rows:,}; "
            "write to a file with `output`, or use `output_format` jsonl"
        )
    for error in sink.unshown_errors:
        console.warn(error)
    if sink.more_errors:
        console.warn(f"… and {sink.more_errors:,} more")


def write_report(content: dict[str, object], report: Report) -> None:
    """Write a summary as JSON: to stderr, to a file, or not at all."""
    if report.json_summary:
        sys.stderr.write(visible(json.dumps(content, ensure_ascii=False)) + "\n")
    if report.stats_file is not None:
        from distilcli.rows.output import write_text

        write_text(report.stats_file, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
