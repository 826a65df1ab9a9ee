"""Options that several commands share, alone and in groups."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from distilcli.commands._declare import Also, GivenOptions, argument, opt
from distilcli.console import Console, TableFormat
from distilcli.errors import HeadError, UsageError
from distilcli.setting import setting

if TYPE_CHECKING:
    from distilcli.rows import RowSource
    from distilcli.rows.shard import Shard
    from distilcli.tasks.settings import LongTexts as LongTextSettings

FormatOption = Annotated[
    TableFormat,
    opt("Format of the result; auto: a table on a terminal, else TSV", "--format", topic="Output"),
]
QuietOption = Annotated[bool, opt("No notes on stderr.", "--quiet", "-q", topic="Report")]
OfflineOption = Annotated[bool, opt("Never use the network.", topic="Model")]
TextColumnOption = Annotated[
    str | None,
    opt(
        "Column with the text, or several: a,b; a dotted path in JSON (default: the first of text, "
        "sentence, review, content, body, comment).",
        "--text-column",
        "-c",
        topic="Input",
        metavar="NAME",
    ),
    Also("--question-column", "--prompt-column"),
]
PairColumnOption = Annotated[
    str | None,
    opt("Column with a second text, for pairs.", topic="Input", metavar="NAME"),
    Also("--context-column"),
]
OptionsColumnOption = Annotated[
    str | None,
    opt(
        "Column with the list of options, as JSON in CSV (default: options).",
        topic="Input",
        metavar="NAME",
    ),
]
OptionColumnsOption = Annotated[
    str | None,
    opt("Columns with one option each: a,b,c.", topic="Input", metavar="NAMES"),
]
LabelColumnsOption = Annotated[
    str | None,
    opt("Columns of 0 and 1, a label each: a,b,c.", topic="Input", metavar="NAMES"),
]
LabelsOption = Annotated[
    str | None,
    opt(
        "Label names in order, even where rows hold numbers or vectors: a,b,c.",
        topic="Input",
        metavar="NAMES",
    ),
]
WordColumnOption = Annotated[
    int | None,
    opt("CoNLL: number of the column with the words, from 1 (default: detected).", min=1),
]
InputFormatOption = Annotated[
    str | None,
    opt(
        "csv, tsv, jsonl, json, txt, parquet, xlsx, sqlite, squad or conll (default: by suffix).",
        metavar="FORMAT",
    ),
]
JoinOption = Annotated[
    str | None, opt("Text between joined columns (default: a space).", metavar="SEP")
]
EncodingOption = Annotated[str, opt("Encoding of the input.", metavar="NAME")]
DelimiterOption = Annotated[str | None, opt("CSV delimiter (default: detected).", metavar="CHAR")]
NoHeaderOption = Annotated[
    bool, opt("The first line is data; the columns are named 1, 2, 3 and so on.")
]
ForceOption = Annotated[
    bool, opt("Overwrite existing files, or an existing database table.", topic="Output")
]
MaxLengthOption = Annotated[
    int | None,
    opt("Tokens per sequence (default: the model's maximum).", topic="Long texts", min=8),
]
NoAbstainOption = Annotated[
    bool, opt("Give every label, also those below the thresholds of the model.")
]
ThreadsOption = Annotated[int | None, opt("CPU cores to use (default: all).", topic="Speed", min=1)]
DeviceOption = Annotated[
    str,
    opt("auto, cpu, cuda, cuda:N, cuda:all or mps.", topic="Model", metavar="DEVICE"),
]
StrideOption = Annotated[
    int | None,
    opt("Tokens that adjacent windows share (default: 128).", topic="Long texts", min=0),
]


def check_outputs(outputs: Mapping[str, str | None], inputs: Iterable[str | Path] = ()) -> None:
    """Raise `UsageError` if outputs, given by setting, share a file or replace an input."""
    from distilcli.rows import is_same_file

    named = [(name, path) for name, path in outputs.items() if path is not None and path != "-"]
    read = list(inputs)
    for index, (name, path) in enumerate(named):
        for other in read:
            if is_same_file(path, other):
                raise UsageError(f"{other}: `{name}` would replace this input; name another file")
        for earlier, other in named[:index]:
            if is_same_file(path, other):
                raise UsageError(f"{path}: `{earlier}` and `{name}` cannot share a file; name two")


@dataclass(frozen=True, kw_only=True, slots=True)
class RowsIn:
    """Which rows are read, and how."""

    topic: ClassVar[str] = "Input"

    files: Annotated[
        list[str] | None,
        argument(
            "CSV, TSV, JSON, Parquet, Excel, SQLite (FILE.db::TABLE), SQuAD, CoNLL or text files, "
            "also .gz .bz2 .xz .zst; globs; - for standard input.",
            "[FILES]...",
        ),
    ] = None
    texts: list[str] | None = setting(None, "A text instead of files.", "--text", metavar="TEXT")
    limit: int | None = setting(None, "Read only the first N rows.", min=0)
    whole_files: bool = setting(False, "Read each file as one row; a folder stands for its files.")
    file_column: str | None = setting(
        None, "Add a column with the name of each row's file.", metavar="NAME"
    )
    on_error: Literal["keep", "skip", "stop"] = setting(
        "keep", "Unusable rows: keep them with an error column, skip them, or stop."
    )
    keep_empty: bool = setting(
        False, "Run empty texts like any others instead of failing their rows."
    )
    join: JoinOption = None
    input_format: InputFormatOption = None
    no_header: NoHeaderOption = False
    delimiter: DelimiterOption = None
    encoding: EncodingOption = "utf-8"
    word_column: WordColumnOption = None
    max_field_bytes: int | None = setting(
        None,
        "Maximum bytes in a cell; a row with a longer cell is unusable (default: 64 MiB).",
        min=1,
    )

    def reading(self) -> dict[str, Any]:
        """Return the settings of the reader."""
        names = (
            "join", "input_format", "no_header", "delimiter", "encoding", "limit", "whole_files",
            "file_column", "word_column", "max_field_bytes",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}

    def open(self, text_column: str | None = None, **others: Any) -> "RowSource":
        """Open the rows, with `others` of the settings of `open_rows`.

        Raises `InputError` for what cannot be read.
        """
        from distilcli.rows import open_rows

        settings = {**self.reading(), "text_column": text_column, **others}
        return open_rows(self.files or (), texts=self.texts or (), **settings)


def rows_format_option(*further: str) -> Any:
    """Return the type of --format for a command that writes rows, in `further` formats too."""
    return Annotated[
        Literal.__getitem__(("auto", "table", "csv", "tsv", "jsonl", "json", "parquet", *further)),
        opt("Format of the rows; auto: a table on a terminal, else as the input", "--format"),
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class RowsOut:
    """Where rows go and how they are written; `formats` are the command's own."""

    topic: ClassVar[str] = "Output"

    output: str | None = setting(
        None,
        "Write the rows to FILE; its suffix sets the format. FILE.db::TABLE adds a table.",
        "--output",
        "-o",
        metavar="FILE",
    )
    output_format: rows_format_option() = "auto"  # type: ignore[valid-type]
    prefix: str = setting("", "Prefix for the names of new columns.")
    force: ForceOption = False
    resume: bool = setting(False, "Continue an interrupted run of the same command.")
    retry_errors: bool = setting(
        False, "Run again only the output rows that have an error, and new input rows."
    )
    formats: tuple[str, ...] = ()

    @property
    def replaces(self) -> bool:
        """Whether an existing output may be replaced, as the interrupted run already could."""
        return self.force or self.retry_errors or (self.resume and self.is_interrupted)

    @property
    def is_interrupted(self) -> bool:
        """Whether an earlier run was interrupted while writing this output."""
        from distilcli.rows.journal import Journal

        return self.output is not None and Journal(self.output).is_there

    def check(self) -> None:
        """Raise `UsageError` for a file that may not be written."""
        from distilcli.rows import check_destination
        from distilcli.rows.formats import output_format_of, split_suffixes
        from distilcli.rows.sqlite_writer import check_table

        if self.output is None:
            return
        if self.output_format == "table":
            raise UsageError("`output_format` table is for the terminal; leave out `output`")
        by_suffix = self.output_format == "auto"
        kind = split_suffixes(self.output)[0] if by_suffix else self.output_format
        if kind == "sqlite":
            check_table(self.output, force=self.replaces)
        else:
            check_destination(self.output, force=self.replaces)
        if by_suffix:
            output_format_of(self.output, self.formats)
        if kind == "parquet":
            from distilcli.rows.extras import require_parquet

            require_parquet()

    @property
    def is_table(self) -> bool:
        """Whether the rows are shown as a table."""
        return self.output_format == "table" or (self.output_format == "auto" and self.is_terminal)

    @property
    def is_terminal(self) -> bool:
        """Whether the rows go to a terminal."""
        return self.output is None and sys.stdout.isatty()

    @property
    def written_format(self) -> str:
        """The format that --format or the suffix of the output names, else auto."""
        from distilcli.rows.formats import split_suffixes

        named = self.output_format == "auto" and self.output is not None
        return split_suffixes(str(self.output))[0] if named else str(self.output_format)


@dataclass(frozen=True, kw_only=True, slots=True)
class LongTexts:
    """How texts longer than the model reads are handled."""

    topic: ClassVar[str] = "Long texts"

    long: Literal["truncate", "window", "error"] = setting(
        "truncate", "Texts that are too long: truncate them, read them in windows, or fail the row."
    )
    max_length: MaxLengthOption = None
    stride: StrideOption = None
    window_pooling: Literal["mean", "max", "first"] | None = setting(
        None, "How to combine the results of a text's windows (default: mean)."
    )

    def settings(self) -> "LongTextSettings":
        """Return what predictors take; raise `UsageError` for window settings without windows."""
        from distilcli.tasks.settings import LongTexts as LongTextSettings

        of_windows = {"stride": self.stride, "window_pooling": self.window_pooling}
        chosen = {name: value for name, value in of_windows.items() if value is not None}
        if self.long != "window":
            GivenOptions(chosen).refuse(of_windows, "is for windows; add `long` window")
        return LongTextSettings(long=self.long, max_length=self.max_length, **chosen)  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True, slots=True)
class Compute:
    """Which model runs, where and how."""

    topic: ClassVar[str] = "Model"

    model: str = setting(
        MISSING,
        "A built-in model, a folder, or a hub id such as org/name@revision.",
        "--model",
        "-m",
        metavar="MODEL",
    )
    device: DeviceOption = "auto"
    precision: Literal["auto", "fp32", "tf32", "bf16", "fp16", "int8"] = setting(
        "fp32",
        "Number format: int8 and bf16 on CPUs, bf16, fp16 and tf32 on GPUs; auto: the fastest that "
        "agrees with fp32.",
    )
    min_agreement: float | None = setting(
        None,
        "Share of a sample of rows on which int8, or what auto chose, must agree with fp32 "
        "(default: 0.99).",
        min=0,
        max=1,
    )
    offline: OfflineOption = False
    batch: int | None = setting(None, "Maximum rows per batch.", topic="Speed", min=1)
    max_tokens: int | None = setting(
        None,
        "Maximum tokens per batch (default: 512 on CPUs, else 16384).",
        topic="Speed",
        min=8,
        also=("--token-budget",),
    )
    threads: ThreadsOption = None

    def check(self, command: str) -> None:
        """Check the settings and the model as far as that is possible without torch.

        Raises `UsageError` or `ModelError`.
        """
        from distilcli.checkpoint.config import read_config
        from distilcli.checkpoint.locate import locate
        from distilcli.model.device_name import check_device_name
        from distilcli.model.expected import check_headers
        from distilcli.tasks.settings import required_agreement
        from distilcli.tasks.spec import TASKS

        check_device_name(self.device)
        required_agreement(self.min_agreement, self.precision)
        files = locate(self.model, offline=self.offline)
        config = read_config(files.config_path)
        named = config.extra.get("architectures")
        commands = {
            spec.command
            for spec in TASKS.values()
            for architecture in (named if isinstance(named, list) else ())
            if spec.command not in {"embed", "fill"} and str(architecture).endswith(spec.head)
        }
        # Vectors need no head, and a pre-trained model, which fills masks, has no other.
        if commands and command not in {*commands, "embed", "clean"}:
            raise HeadError(f"{files.name} is for: distil {min(commands)}")
        check_headers(config, files)

    def settings(self) -> dict[str, Any]:
        """Return what predictors take."""
        from distilcli.tasks.settings import BatchOptions

        return {
            "device": self.device,
            "precision": self.precision,
            "min_agreement": self.min_agreement,
            "offline": self.offline,
            "batches": BatchOptions(rows=self.batch, tokens=self.max_tokens, threads=self.threads),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Reproducible:
    """Whether results can be reproduced bit for bit, and are marked with what made them."""

    deterministic: bool = setting(
        False,
        "Give each text the same bytes in any batch, row order and number of threads (slower).",
        topic="Speed",
    )
    provenance: bool = setting(
        False, "Add the columns model_digest and distil_version.", topic="Output"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """Which part of the rows this run takes, or which engine shares them out."""

    topic: ClassVar[str] = "Scale"

    shard: str | None = setting(
        None,
        "Run part I of N of the rows, counted from 0, as I/N; auto or auto/N in an array of jobs. "
        "distil merge puts the parts together.",
        metavar="I/N",
    )
    engine: Literal["local", "ray"] = setting(
        "local", "Run here, or share parts of the rows out to workers on a Ray cluster."
    )
    workers: int | None = setting(
        None, "Ray: number of workers (default: as many as its cores or GPUs allow).", min=1
    )
    gpus_per_worker: float | None = setting(
        None, "Ray: GPUs that a worker gets, such as 1 or 0.5 (default: none).", min=0
    )
    ray_address: str | None = setting(
        None,
        "Ray: HOST:PORT of a cluster, or auto (default: $RAY_ADDRESS, else Ray on this machine).",
        metavar="ADDRESS",
    )

    def parsed(self) -> "Shard | None":
        """Return the part; raise `UsageError` if there is none of that number."""
        from distilcli.rows.shard import parse_shard

        return None if self.shard is None else parse_shard(self.shard)


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What is reported about the run."""

    topic: ClassVar[str] = "Report"

    quiet: QuietOption = False
    dry_run: bool = setting(
        False, "Count rows and tokens and estimate time and memory; run nothing."
    )
    json_summary: bool = setting(
        False, "Print the summary to stderr as one line of JSON.", "--json", topic="Report"
    )
    stats_file: str | None = setting(
        None, "Write the summary as JSON to FILE.", "--stats", topic="Report", metavar="FILE"
    )

    def __post_init__(self) -> None:
        self.console.show_downloads()

    @property
    def console(self) -> Console:
        """The console of the run."""
        return Console(quiet=self.quiet)

    def check_dry_run(self) -> None:
        """Raise `UsageError` for an estimate that would go nowhere."""
        if self.dry_run and self.quiet and not (self.json_summary or self.stats_file):
            raise UsageError("`dry_run` has nothing to say with `quiet`; add `json_summary`")

    def check(self, inputs: Sequence[str | Path] = (), **outputs: str | None) -> None:
        """Raise `UsageError` if the summary cannot be written, or would replace another file."""
        from distilcli.rows import check_destination

        if self.stats_file not in {None, "-"}:
            check_destination(str(self.stats_file), force=True)
        check_outputs({**outputs, "stats_file": self.stats_file})
        check_outputs({"stats_file": self.stats_file}, inputs)
