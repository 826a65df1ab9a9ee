"""`distil compress`: a smaller model from a trained one, and what that costs."""

from typing import Annotated

from distilcli.commands._declare import argument, listed, opt, options
from distilcli.commands._option_groups import (
    ForceOption,
    FormatOption,
    OfflineOption,
    PairColumnOption,
    QuietOption,
    TextColumnOption,
)
from distilcli.console import Console, is_table

_DATA = "Data"


@options(topic="Make it smaller")
def compress(
    model: Annotated[str, argument("A built-in model, a folder, or a hub id.", "MODEL")],
    output: Annotated[
        str, opt("Folder for the new model.", "--output", "-o", topic="Output", metavar="DIR")
    ],
    merge: Annotated[
        list[str] | None,
        opt(
            "Average the weights with those of this run of the same model.",
            metavar="OTHER",
        ),
    ] = None,
    prune_layers: Annotated[
        str | None, opt("Layers to remove, such as 1,3, counted from 0.", metavar="LAYERS")
    ] = None,
    prune_heads: Annotated[
        list[str] | None,
        opt(
            "Attention heads to remove: a number of them, the least important first; auto for as "
            "many as --min-agreement (0.99) allows; or LAYER:HEADS such as 0:1,3.",
            metavar="N",
        ),
    ] = None,
    prune_ffn: Annotated[
        float | None,
        opt(
            "Share of the feed-forward neurons to remove in every layer, the least important "
            "first: by their effect on --data, else by their weights.",
            metavar="SHARE",
        ),
    ] = None,
    prune_vocab: Annotated[
        bool, opt("Remove the tokens that do not occur in --data, with their vectors.")
    ] = False,
    positions: Annotated[
        int | None, opt("Tokens that the new model reads at most, fewer than before.", min=1)
    ] = None,
    int8: Annotated[
        bool, opt("Store the weights as int8, a quarter of the size; only distil reads that.")
    ] = False,
    data: Annotated[
        str | None,
        opt(
            "Rows to measure importance, agreement and quality on; labels are not needed.",
            topic=_DATA,
            metavar="FILE",
        ),
    ] = None,
    text_column: TextColumnOption = None,
    pair_column: PairColumnOption = None,
    label_column: Annotated[
        str | None,
        opt("Column with the gold labels (default: a usual name).", topic=_DATA, metavar="NAME"),
    ] = None,
    label_map: Annotated[
        list[str] | None,
        opt(
            "Map data labels to model labels, e.g. 0=negative,1=positive.",
            "--map",
            topic=_DATA,
            metavar="LABEL=NAME",
        ),
    ] = None,
    limit: Annotated[int | None, opt("Only the first N rows.", topic=_DATA, min=1)] = None,
    min_agreement: Annotated[
        float | None,
        opt(
            "Write nothing and exit with 7 if the new model agrees with the old one on a smaller "
            "share of the rows.",
            topic=_DATA,
            metavar="SHARE",
        ),
    ] = None,
    seconds: Annotated[
        float, opt("How long to time each model; 0 leaves it out.", topic="Report", min=0)
    ] = 2.0,
    table_format: FormatOption = "auto",
    force: ForceOption = False,
    device: Annotated[
        str, opt("auto, cpu, cuda, cuda:N or mps.", topic="Model", metavar="DEVICE")
    ] = "auto",
    offline: OfflineOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make a trained model smaller: fewer layers, heads, neurons, tokens or bytes.

    Several options combine, always in this order: merge, layers, heads, feed-forward, vocabulary,
    positions, int8. The report compares both models: size, parameters, speed and, with --data,
    agreement (equal labels, or the cosine of vectors) and quality. `distil finetune`
    with the original as its teacher brings back much of what was lost.

    Examples:
      distil compress my-model -o small --int8
      distil compress my-model -o small --prune-ffn 0.5 --data dev.csv
      distil compress my-model -o small --prune-heads auto --data dev.csv
      distil compress first -o mean --merge second --merge third
    """
    console = Console(quiet=quiet)
    console.show_downloads()

    from distilcli.compression.run import compress as run
    from distilcli.gold.labels import label_map as mapping

    report = run(
        model,
        output,
        merge=tuple(merge or ()),
        prune_layers=prune_layers,
        prune_heads=tuple(prune_heads or ()),
        prune_ffn=prune_ffn,
        prune_vocab=prune_vocab,
        positions=positions,
        int8=int8,
        data=data,
        text_column=text_column,
        pair_column=pair_column,
        label_column=label_column,
        label_map=dict(mapping(part for each in label_map or () for part in listed(each))) or None,
        limit=limit,
        min_agreement=min_agreement,
        seconds=seconds,
        force=force,
        device=device,
        offline=offline,
        on_step=console.note,
    )
    if report.heads and is_table(table_format):
        title = "Importance of the heads, relative to their layer"
        console.show(report.head_records(), document={}, title=title, table_format="table")
    console.show(
        report.records(),
        document=report.as_dict(),
        title=f"{model} and {output}",
        table_format=table_format,
    )
    console.note(*report.notes, f"wrote {output}")
