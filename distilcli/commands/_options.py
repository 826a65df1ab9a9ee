"""Options that several commands share, each written once."""

from typing import Annotated, Any, Literal

import typer

from distilcli.console import TableFormat

ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A built-in model, a folder, or a hub id (org/name or org/name@revision).",
    ),
]

FormatOption = Annotated[
    TableFormat,
    typer.Option(
        "--format", help="How to write the result; auto: a table on a terminal, TSV in a pipe."
    ),
]

OfflineOption = Annotated[
    bool, typer.Option("--offline", help="Use only what is on this machine, not the network.")
]

QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No notes on stderr.")]


def listed(value: str) -> list[str]:
    """Return the parts of an option's value that has commas between them."""
    return [part.strip() for part in value.split(",") if part.strip()]


# Rows in.

FilesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FILES]...",
        help="CSV, TSV, JSONL, SQuAD JSON, CoNLL or text files, also .gz .bz2 .xz .zst; globs; "
        "- for standard input.",
    ),
]

TextsOption = Annotated[
    list[str] | None,
    typer.Option("--text", help="A text instead of files; may be given several times."),
]

TextColumnOption = Annotated[
    str | None,
    typer.Option(
        "--text-column",
        "-c",
        metavar="NAME",
        help="The column with the text; JSONL: a dotted path. Left out: the first of text, "
        "sentence, review, content, body, comment.",
    ),
]

PairColumnOption = Annotated[
    str | None,
    typer.Option("--pair-column", metavar="NAME", help="The column with a second text: pairs."),
]

InputFormatOption = Annotated[
    str | None,
    typer.Option(
        "--input-format", help="csv, tsv, jsonl, txt, squad or conll, whatever the suffix says."
    ),
]

EncodingOption = Annotated[str, typer.Option("--encoding", help="The encoding of the input.")]

DelimiterOption = Annotated[
    str | None,
    typer.Option("--delimiter", help="What stands between the cells of a CSV; else found out."),
]

NoHeaderOption = Annotated[
    bool,
    typer.Option(
        "--no-header",
        help="The first line is a row: columns are called 1, 2, …, also in the output's header.",
    ),
]

LimitOption = Annotated[int | None, typer.Option("--limit", min=0, help="Stop after so many rows.")]

OnErrorOption = Annotated[
    Literal["keep", "skip", "stop"],
    typer.Option(
        "--on-error",
        help="What becomes of a row that cannot be used: kept with its error in a column, left "
        "out, or the end of the run.",
    ),
]

# Rows out.

OutputOption = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write rows here, format by suffix."),
]

_ROWS_FORMATS = ("auto", "table", "csv", "tsv", "jsonl", "json", "parquet")


def rows_format_option(*further: str) -> Any:
    """Return the type of --format for a command that writes rows, and `further` formats."""
    formats = (*_ROWS_FORMATS, *further)
    return Annotated[
        Literal.__getitem__(formats),
        typer.Option(
            "--format", help="How to write rows; auto: a table on a terminal, else as they came."
        ),
    ]


RowsFormatOption: Any = rows_format_option()

PrefixOption = Annotated[
    str, typer.Option("--prefix", help="What the names of the new columns begin with.")
]

ForceOption = Annotated[bool, typer.Option("--force", help="Replace what is there already.")]

# Long texts.

LongOption = Annotated[
    Literal["truncate", "window", "error"],
    typer.Option("--long", help="Texts longer than the model reads: cut, windowed, or an error."),
]

MaxLengthOption = Annotated[
    int | None,
    typer.Option(
        "--max-length", min=8, help="Tokens in a sequence; at most the model's own limit."
    ),
]

StrideOption = Annotated[
    int | None,
    typer.Option("--stride", min=0, help="Tokens that two windows of a text share (128)."),
]

WindowPoolingOption = Annotated[
    Literal["mean", "max", "first"] | None,
    typer.Option("--window-pooling", help="How the scores of a text's windows become one (mean)."),
]

# How it runs.

ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="A built-in model, a folder, or a hub id (@revision).",
    ),
]

BatchOption = Annotated[
    int | None, typer.Option("--batch", min=1, help="At most so many rows in a batch.")
]

MaxTokensOption = Annotated[
    int | None,
    typer.Option(
        "--max-tokens", min=8, help="At most so many tokens in a batch (CPU: 512, else 16384)."
    ),
]

ThreadsOption = Annotated[
    int | None, typer.Option("--threads", min=1, help="CPU cores to use; all if left out.")
]

DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")]

PrecisionOption = Annotated[
    Literal["fp32", "tf32", "bf16", "fp16", "int8"],
    typer.Option(
        "--precision",
        help="The number format of the model: int8 and bf16 on CPUs, bf16, fp16 and tf32 on GPUs.",
    ),
]

MinAgreementOption = Annotated[
    float | None,
    typer.Option(
        "--min-agreement",
        min=0,
        max=1,
        help="int8: the least share of the first rows on which it must say what fp32 says (0.99); "
        "one row may differ, unless it is 1.",
    ),
]

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Count rows and tokens, expect time and memory; no run.")
]

StatsOption = Annotated[
    str | None, typer.Option("--stats", metavar="FILE", help="Write the statistics as JSON here.")
]

JsonOption = Annotated[
    bool, typer.Option("--json", help="Write the summary to stderr as one line of JSON.")
]
