"""Options that several commands share, each written once."""

from typing import Annotated

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
