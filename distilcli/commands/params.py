"""`distil params`: what a model is made of, from the headers of its weights alone."""

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
            help="Show instead the tensors in which MODEL and OTHER differ.",
        ),
    ] = None,
    by: Annotated[
        Literal["module", "layer", "tensor"],
        typer.Option("--by", help="What a line stands for."),
    ] = "module",
    check: Annotated[
        bool,
        typer.Option("--check", help="Read all weights and fail if one is infinite or no number."),
    ] = False,
    table_format: FormatOption = "auto",
    offline: OfflineOption = False,
    quiet: QuietOption = False,
) -> None:
    """Count the parameters of a model, with BERT-base's beside them.

    Only the header of a safetensors file is read, so the size of the model does not matter.
    The last line is the total. Ratios are to BERT-base without a head (109,482,240 parameters).
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
        footer=report.footer,
        document=report.document,
        title=report.title,
        table_format=table_format,
    )
    console.note(*report.notes)
