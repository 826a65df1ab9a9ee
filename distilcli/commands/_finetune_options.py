"""What `distil finetune` is told of rows, of learning, and of the run itself."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from distilcli.commands import _option_groups as options
from distilcli.commands._declare import listed
from distilcli.errors import UsageError

if TYPE_CHECKING:
    from distilcli.rows import RowSource
    from distilcli.training.datasets.columns import Columns
    from distilcli.training.options import TrainingOptions
    from distilcli.training.settings import LessonOptions


@dataclass(frozen=True, kw_only=True, slots=True)
class RowsToLearn:
    """Which rows are learned, and where in them what is."""

    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES...", help="Rows to learn from, in any format that classify reads."
        ),
    ]
    valid: Annotated[
        list[str] | None,
        typer.Option("--valid", metavar="FILE", help="Rows to validate on (several times: more)."),
    ] = None
    valid_split: Annotated[
        float | None,
        typer.Option(
            "--valid-split",
            min=0.001,
            max=0.9,
            help="Without --valid: the share of each label's rows set aside (0.1).",
        ),
    ] = None
    text_column: options.TextColumnOption = None
    pair_column: options.PairColumnOption = None
    label_column: Annotated[
        str | None,
        typer.Option(
            "--label-column",
            metavar="NAME",
            help="The column with the label, number or answer; embed without one, and without a "
            "column score or similarity, takes all pairs for texts that belong together.",
        ),
    ] = None
    label_separator: Annotated[
        str | None,
        typer.Option(
            "--label-separator",
            metavar="SIGN",
            help="What stands between the labels of a cell in multilabel (a comma).",
        ),
    ] = None
    options_column: Annotated[
        str | None,
        typer.Option(
            "--options-column",
            metavar="NAME",
            help="For choose: the column with a list of options, in CSV as JSON (options).",
        ),
    ] = None
    option_columns: Annotated[
        str | None,
        typer.Option(
            "--option-columns",
            metavar="NAMES",
            help="For choose: the columns with an option each, with commas between them.",
        ),
    ] = None
    input_format: options.InputFormatOption = None
    encoding: options.EncodingOption = "utf-8"
    delimiter: options.DelimiterOption = None
    no_header: options.NoHeaderOption = False
    limit: options.LimitOption = None

    def check(self) -> None:
        """Raise `UsageError` for options that do not go together."""
        if self.valid and self.valid_split is not None:
            raise UsageError(
                "--valid gives rows to validate on, --valid-split sets some aside; take one"
            )

    @property
    def columns(self) -> "Columns":
        """Where in a row stands what is learned from."""
        from distilcli.training.datasets.columns import Columns

        return Columns(
            text=self.text_column,
            pair=self.pair_column,
            label=self.label_column,
            options=self.options_column,
            option_list=tuple(listed(self.option_columns or "")),
            separator=self.label_separator,
        )

    @property
    def names(self) -> tuple[list[str], list[str]]:
        """The files to learn from, and those to validate on: the same where some are set aside."""
        return self.files, self.valid or self.files

    def open(self) -> "tuple[RowSource, RowSource | None]":
        """Open the rows to learn from and those to validate on, None where some are set aside."""
        return self._open(self.files), self._open(self.valid) if self.valid else None

    def _open(self, paths: list[str]) -> "RowSource":
        from distilcli.rows import open_rows

        return open_rows(
            paths,
            input_format=self.input_format,
            text_column=self.text_column,
            encoding=self.encoding,
            delimiter=self.delimiter,
            no_header=self.no_header,
            limit=self.limit,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class LearningOptions:
    """How it is learned; the fields are those of `TrainingOptions` and `LessonOptions`."""

    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Passes over the rows.")] = 3
    learning_rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate",
            "--lr",
            min=0,
            help="The peak rate of AdamW; left out: 5e-5 for a model 768 wide, 2e-4 for 384.",
        ),
    ] = None
    schedule: Annotated[
        Literal["linear", "cosine"],
        typer.Option("--schedule", help="How the rate falls after the warm-up."),
    ] = "linear"
    warmup: Annotated[
        float, typer.Option("--warmup", min=0, max=1, help="The share of steps that warm up.")
    ] = 0.06
    weight_decay: Annotated[
        float, typer.Option("--weight-decay", min=0, help="Not on norms and biases.")
    ] = 0.01
    layer_decay: Annotated[
        float,
        typer.Option(
            "--layer-decay", min=0.1, max=1, help="Each block learns at this times the one above."
        ),
    ] = 1.0
    clip: Annotated[
        float, typer.Option("--clip", min=0.001, help="The largest norm of the gradients.")
    ] = 1.0
    token_budget: Annotated[
        int, typer.Option("--token-budget", min=8, help="Tokens in a batch, padding included.")
    ] = 1_024
    accumulate: Annotated[
        int, typer.Option("--accumulate", min=1, help="Batches whose gradients make one step.")
    ] = 1
    gradient_checkpointing: Annotated[
        bool,
        typer.Option(
            "--gradient-checkpointing", help="Less memory for a second forward pass of each block."
        ),
    ] = False
    freeze: Annotated[
        str,
        typer.Option(
            "--freeze",
            metavar="WHAT",
            help="What does not learn: nothing, embeddings (the token table), a number of layers "
            "from below, or encoder (all but the head).",
        ),
    ] = "nothing"
    dropout: Annotated[
        float | None,
        typer.Option(
            "--dropout",
            min=0,
            max=0.9,
            help="The rate while it learns, instead of the model's own; 0 suits a short run.",
        ),
    ] = None
    class_weights: Annotated[
        Literal["balanced"] | None,
        typer.Option(
            "--class-weights", help="balanced: rows of rare labels count more, in proportion."
        ),
    ] = None
    label_smoothing: Annotated[
        float,
        typer.Option(
            "--label-smoothing", min=0, max=0.9, help="The share of a label spread over all."
        ),
    ] = 0.0
    augment: Annotated[
        float,
        typer.Option(
            "--augment",
            min=0,
            max=0.9,
            help="In each epoch each word of a text is left out with this probability (one stays), "
            "and each then changes places with the next one with it.",
        ),
    ] = 0.0
    average: Annotated[
        float,
        typer.Option(
            "--average",
            min=0,
            max=0.99999,
            help="Decay of a moving average of the weights; 0: off.",
        ),
    ] = 0.0
    precision: Annotated[
        Literal["auto", "fp32", "bf16"],
        typer.Option("--precision", help="auto: bf16 autocast where it is faster here."),
    ] = "auto"
    evaluate_every: Annotated[
        int | None,
        typer.Option("--eval-every", min=1, help="Steps between evaluations; else each epoch."),
    ] = None
    early_stopping: Annotated[
        int | None,
        typer.Option(
            "--early-stopping", min=1, help="Stop after so many evaluations without a better one."
        ),
    ] = None
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=2**32 - 1, help="Of all that is random.")
    ] = 0

    def lesson_options(self) -> "LessonOptions":
        """Return what concerns the rows."""
        from distilcli.training.settings import LessonOptions

        return LessonOptions(**self._of(LessonOptions))

    def training_options(self) -> "TrainingOptions":
        """Return what concerns the steps."""
        from distilcli.training.options import TrainingOptions

        return TrainingOptions(**self._of(TrainingOptions))

    def _of(self, kind: type) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(kind)}


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPlace:
    """Where the run goes, and how it is told."""

    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="The folder of the run.")
    ]
    plot: Annotated[
        str | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw loss, scores, confusion and reliability, as .png or .svg (extra: plot).",
        ),
    ] = None
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Check the rows, count steps, expect time and memory; no run."
        ),
    ] = False
    threads: options.ThreadsOption = None
    device: options.DeviceOption = "auto"
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run, as if unbroken.")
    ] = False
    force: options.ForceOption = False
    stats_file: options.StatsOption = None
    json_summary: options.JsonOption = False
    offline: options.OfflineOption = False
    quiet: options.QuietOption = False

    @property
    def report(self) -> options.Report:
        """How the summary is given."""
        return options.Report(
            quiet=self.quiet, json_summary=self.json_summary, stats_file=self.stats_file
        )

    def check(self) -> None:
        """Raise `UsageError` for options that do not go together, or a place that is taken."""
        if self.resume and self.force:
            raise UsageError("--resume goes on with a run, --force replaces it; give one of them")
        self.report.check()
        if self.plot is not None:
            from distilcli.tokenizer.plot import check_plot

            check_plot(self.plot, force=self.force or self.resume, made=self.output)
