"""What every command that runs a model over files is told, written once.

`over_files` gives a command the options of `RunOptions` beside its own, so that its function
takes them as one object.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from distilcli.commands import _options as options
from distilcli.commands._file_run import (
    Columns,
    OutputOptions,
    ReportOptions,
    estimate_over_files,
    run_over_files,
)
from distilcli.commands._grouped import parameters_of, shown_as
from distilcli.console import Console
from distilcli.errors import UsageError

if TYPE_CHECKING:
    from distilcli.console.preview import Preview
    from distilcli.engine import Engine, Outcome
    from distilcli.predictors.base import Predictor
    from distilcli.rows import Given, Row, RowSource
    from distilcli.tasks.settings import BatchOptions, LongTexts
    from distilcli.vectors.writer import VectorWriter

Own = ParamSpec("Own")
Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOptions:
    """Rows in, rows out, long texts, and how it runs; each field is an option of that name.

    But for `formats`: those that the command writes beyond those of rows.
    """

    formats: tuple[str, ...] = ()

    files: options.FilesArgument = None
    texts: options.TextsOption = None
    model: options.ModelOption
    output: options.OutputOption = None
    output_format: str = "auto"
    prefix: options.PrefixOption = ""
    force: options.ForceOption = False
    input_format: options.InputFormatOption = None
    encoding: options.EncodingOption = "utf-8"
    delimiter: options.DelimiterOption = None
    no_header: options.NoHeaderOption = False
    limit: options.LimitOption = None
    on_error: options.OnErrorOption = "keep"
    long: options.LongOption = "truncate"
    max_length: options.MaxLengthOption = None
    stride: options.StrideOption = None
    batch: options.BatchOption = None
    max_tokens: options.MaxTokensOption = None
    threads: options.ThreadsOption = None
    device: options.DeviceOption = "auto"
    precision: options.PrecisionOption = "fp32"
    min_agreement: options.MinAgreementOption = None
    dry_run: options.DryRunOption = False
    stats_file: options.StatsOption = None
    json_summary: options.JsonOption = False
    offline: options.OfflineOption = False
    quiet: options.QuietOption = False

    @property
    def destination(self) -> OutputOptions:
        """Where rows go."""
        return OutputOptions(
            path=self.output,
            format=self.output_format,
            prefix=self.prefix,
            force=self.force,
            further=self.formats,
        )

    @property
    def vector_format(self) -> str | None:
        """The format of the file of vectors that is asked for; None where rows go out."""
        from distilcli.vectors.writer import HEADERS

        return self.written_format if self.written_format in HEADERS else None

    @property
    def written_format(self) -> str:
        """The format that --format or the name of the output says; auto where neither does."""
        from distilcli.rows.formats import split_suffixes

        if self.output_format != "auto" or self.output is None:
            return self.output_format
        return split_suffixes(self.output)[0]

    @property
    def report(self) -> ReportOptions:
        """How the summary is given."""
        return ReportOptions(stats_file=self.stats_file, as_json=self.json_summary)

    @property
    def console(self) -> Console:
        """The voice of the run."""
        return Console(quiet=self.quiet)

    @property
    def batches(self) -> "BatchOptions":
        """How rows are put into batches."""
        from distilcli.tasks.settings import BatchOptions

        return BatchOptions(rows=self.batch, tokens=self.max_tokens, threads=self.threads)

    @property
    def computing(self) -> dict[str, Any]:
        """What every predictor is told of where and how its model computes.

        Raises `UsageError` for options that cannot be meant together.
        """
        from distilcli.tasks.settings import MIN_AGREEMENT

        if self.min_agreement is not None and self.precision != "int8":
            raise UsageError("--min-agreement is for int8; add --precision int8")
        return {
            "device": self.device,
            "precision": self.precision,
            "min_agreement": (MIN_AGREEMENT if self.min_agreement is None else self.min_agreement),
            "offline": self.offline,
            "batches": self.batches,
        }

    def open_rows(
        self, text_column: str | None = None, *, given: "Given | None" = None
    ) -> "RowSource":
        """Check where everything goes, then open what is read; `given` are rows without files.

        Raises `UsageError` for a file that may not be written and `InputError` for one that
        cannot be read, before any work is done.
        """
        from distilcli.rows import open_rows

        self.destination.check()
        self.report.check(output=self.output)
        source = open_rows(
            self.files or (),
            texts=self.texts or (),
            given=given,
            input_format=self.input_format,
            text_column=text_column,
            encoding=self.encoding,
            delimiter=self.delimiter,
            no_header=self.no_header,
            limit=self.limit,
        )
        self.report.spare(source.paths)
        return source

    def long_texts(self, window_pooling: str | None = None) -> "LongTexts":
        """Return what is done with long texts; raise `UsageError` for windows there are not."""
        from distilcli.tasks.settings import LongTexts

        if self.long != "window":
            for option, value in (
                ("--stride", self.stride),
                ("--window-pooling", window_pooling),
            ):
                if value is not None:
                    raise UsageError(f"{option} is for windows; add --long window")
        given = {
            "max_length": self.max_length,
            "stride": self.stride,
            "window_pooling": window_pooling,
        }
        chosen = {name: value for name, value in given.items() if value is not None}
        return LongTexts(long=self.long, **chosen)  # type: ignore[arg-type]

    def carry(
        self,
        command: str,
        source: "RowSource",
        predictor: "Predictor[Any]",
        engine: "Engine[Row, Value]",
        columns: Columns[Value],
        *,
        text_columns: Sequence[str],
        preview: "Callable[..., Preview] | None" = None,
        open_vectors: "Callable[[], VectorWriter] | None" = None,
        on_block: "Callable[[list[Outcome[Row, Value]]], None] | None" = None,
        counted: str = "rows",
    ) -> int:
        """Run every row of `source` and return the exit code; --dry-run says what it would take.

        `text_columns` are those that the model reads; `preview` is what a terminal gets to see,
        a table if left out. With `open_vectors` the values go there and no rows are written.
        `on_block` sees each block of rows after it is written.
        `counted` are the things that have the labels in the summary.
        """
        from distilcli.stats import RunStats

        named = ", ".join(map(repr, text_columns))
        plural = "s" if len(text_columns) > 1 else ""
        read = "" if source.format == "txt" else f", text column{plural} {named}"
        self.console.note(predictor.described() + read)
        about = {
            "command": command,
            "model": predictor.name,
            "precision": predictor.precision,
            "input": source.name,
        }
        if self.dry_run:
            return estimate_over_files(
                self.console, source, engine, about=about, report=self.report
            )
        return run_over_files(
            self.console,
            source,
            engine,
            columns,
            text_columns=text_columns,
            stats=RunStats(device=predictor.device, load_seconds=predictor.load_seconds),
            about=about,
            output=self.destination,
            report=self.report,
            preview=preview,
            open_vectors=open_vectors,
            on_block=on_block,
            counted=counted,
            agreement=predictor.agreement,
        )


def over_files(
    *, formats: Sequence[str] = (), **defaults: object
) -> Callable[[Callable[Concatenate[RunOptions, Own], int]], Callable[..., int]]:
    """Return the decorator that adds the options of `RunOptions` to those of a command.

    `formats` are those it writes beyond those of rows, `defaults` what it takes where an option
    is left out. Typer reads a function's
    signature, so the one it is shown lists them all: files first, then the command's own.
    """

    def decorate(command: Callable[Concatenate[RunOptions, Own], int]) -> Callable[..., int]:
        shared = _parameters(defaults, formats)
        names = [parameter.name for parameter in shared]
        _, *own = inspect.signature(command).parameters.values()
        inputs, others = shared[:_INPUTS], shared[_INPUTS:]

        def run(*args: Any, **given: Any) -> int:
            shared_given = {name: given.pop(name) for name in names}
            run_options = RunOptions(formats=tuple(formats), **shared_given)
            return command(run_options, *args, **given)

        return shown_as(run, command, [*inputs, *own, *others])

    return decorate


_INPUTS = 3  # files, texts and the model come before a command's own options


def _parameters(defaults: dict[str, object], formats: Sequence[str]) -> list[inspect.Parameter]:
    found = []
    for each in parameters_of(RunOptions)[1:]:  # formats is no option
        parameter = each.replace(default=defaults.get(each.name, each.default))
        if each.name == "output_format":
            parameter = parameter.replace(annotation=options.rows_format_option(*formats))
        found.append(parameter)
    return found
