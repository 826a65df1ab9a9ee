"""`distil params`: the parameters of a model, from the headers of its weights."""

from typing import Annotated, Literal

from distilcli.commands._declare import GivenOptions, argument, opt, options
from distilcli.commands._option_groups import FormatOption, OfflineOption, QuietOption
from distilcli.console import Console, TableFormat


@options(topic="Parameters")
def params(
    given: GivenOptions,
    model: Annotated[
        str, argument("A built-in model, a folder, or a hub id such as org/name@revision.", "MODEL")
    ] = "sentiment",
    diff: Annotated[
        str | None,
        opt("Compare MODEL with OTHER: totals, then the tensors that differ.", metavar="OTHER"),
    ] = None,
    by: Annotated[Literal["module", "layer", "tensor"], opt("What each line counts.")] = "module",
    check: Annotated[
        bool,
        opt(
            "Instead, read every weight and list what is wrong: NaN, infinite, missing or unused; "
            "exit code 4 unless the model is sound."
        ),
    ] = False,
    table_format: FormatOption = "auto",
    offline: OfflineOption = False,
    quiet: QuietOption = False,
) -> None:
    """Count the parameters of a model and compare them with BERT-base.

    Only the headers of safetensors files are read, so this is fast for models of any size. The
    last line is the total. Ratios are to BERT-base without a head (109,482,240 parameters).

    Examples:
      distil params
      distil params org/name --by layer
      distil params org/name --diff sentiment
      distil params org/name --check
    """
    from distilcli.checkpoint.report import describe, difference_report, parameter_report

    console = Console(quiet=quiet)
    console.show_downloads()
    if check:
        given.refuse(("diff", "by"), "cannot be used with `check`; leave one of them out")
        _show_faults(console, model, table_format=table_format, offline=offline)
        return
    described = describe(model, offline=offline)
    console.note(f"model: {described.files.name}")
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


def _show_faults(console: Console, name: str, *, table_format: TableFormat, offline: bool) -> None:
    from distilcli.checkpoint.locate import locate
    from distilcli.model.health import check_model, check_report, require_sound

    files = locate(name, offline=offline)
    console.note(f"model: {files.name}")
    faults = check_model(files)
    report = check_report(files.name, faults)
    if faults or table_format == "json":
        console.show(
            report.records, document=report.document, title=report.title, table_format=table_format
        )
    console.note(*report.notes)
    require_sound(files.name, faults)
