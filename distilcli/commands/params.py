"""`distil params`: the parameters of a model, from the headers of its weights."""

from typing import Annotated, Literal

import typer

from distilcli.commands._options import FormatOption, ModelArgument, OfflineOption, QuietOption
from distilcli.console import Console


def params(
    model: ModelArgument = "sentiment",
    diff: Annotated[
        str | None,
        typer.Option(
            "--diff",
            metavar="OTHER",
            help="Compare MODEL with OTHER: totals, then the tensors that differ.",
        ),
    ] = None,
    by: Annotated[
        Literal["module", "layer", "tensor"],
        typer.Option("--by", help="What each line counts."),
    ] = "module",
    check: Annotated[
        bool,
        typer.Option("--check", help="Read all weights and fail if any is infinite or NaN."),
    ] = False,
    table_format: FormatOption = "auto",
    offline: OfflineOption = False,
    quiet: QuietOption = False,
) -> None:
    """Count the parameters of a model, with BERT-base's beside them.

    Only the headers of safetensors files are read, so it is fast for models of any size. The last
    line is the total. Ratios are to BERT-base without a head (109,482,240 parameters).
    """
    from distilcli.checkpoint.finite import require_finite
    from distilcli.checkpoint.report import describe, difference_report, parameter_report

    console = Console(quiet=quiet)
    described = describe(model, offline=offline)
    console.note(f"model: {described.files.name}")
    if check:
        require_finite(described.header)
        console.note("every weight is finite")
    report = (
        parameter_report(described, by=by)
        if diff is None
        else difference_report(described, describe(diff, offline=offline))
    )
    console.show(
        report.records,
        document=report.document,
        title=report.title,
        table_format=table_format,
        optional=report.optional,
        cropped=diff is not None,
    )
    console.note(*report.notes)
