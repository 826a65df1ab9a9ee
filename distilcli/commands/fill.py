"""`distil fill`: words in the place of the masks of every row of files."""

from typing import Annotated

import typer

from distilcli.commands import _options as options
from distilcli.commands._option_groups import RunOptions, over_files
from distilcli.errors import UsageError


@over_files(long="window")
def fill(
    run: RunOptions,
    text_column: options.TextColumnOption = None,
    top_k: Annotated[
        int | None,
        typer.Option("--top-k", min=1, help="How many tokens a mask gets, likeliest first (5)."),
    ] = None,
    targets: Annotated[
        str | None,
        typer.Option(
            "--targets", metavar="TOKENS", help="Only these tokens, with commas between them."
        ),
    ] = None,
    whole_word: Annotated[
        bool,
        typer.Option(
            "--whole-word", help="Only whole words: no pieces (##s), no signs, no special tokens."
        ),
    ] = False,
    pseudo_perplexity: Annotated[
        bool,
        typer.Option(
            "--pseudo-perplexity",
            help="Fill nothing: say how well each text is foreseen, each token masked in turn.",
        ),
    ] = False,
) -> int:
    """Fill in the [MASK]s of texts: the likeliest words for each, with probabilities.

    Rows get the filled text, the product of the best tokens' probabilities, and all of them as a
    list for each mask. Several masks are scored one by one, with the others masked. Long texts
    are read in windows that share at most half of their tokens.

    Examples: distil fill -m MODEL --text "I [MASK] this film." · distil fill gaps.csv -m MODEL
    --targets good,bad · distil fill lines.txt -m MODEL --pseudo-perplexity
    """
    if pseudo_perplexity:
        _refuse_fills(top_k=top_k, targets=targets, whole_word=whole_word)
    source = run.open_rows(text_column)
    text_column = source.text_column

    from distilcli.console.fills import FillsPreview
    from distilcli.predictors.mask_filler import MaskFiller
    from distilcli.tasks.files import text_from
    from distilcli.tasks.fill import FillColumns
    from distilcli.tasks.perplexity import PerplexityColumns

    filler = MaskFiller(
        run.model,
        top_k=top_k or 5,
        targets=None if targets is None else options.listed(targets),
        whole_word=whole_word,
        **run.computing,
        long_texts=run.long_texts(),
    )
    text_of = text_from(text_column)
    if pseudo_perplexity:
        return run.carry(
            "fill",
            source,
            filler,
            filler.perplexity_engine(text_of, on_error=run.on_error),
            PerplexityColumns(),
            text_columns=[text_column],
        )
    return run.carry(
        "fill",
        source,
        filler,
        filler.engine(text_of, on_error=run.on_error),
        FillColumns(),
        text_columns=[text_column],
        preview=FillsPreview,
    )


def _refuse_fills(**given: object) -> None:
    """Raise `UsageError` for options that say how masks are filled."""
    for name, value in given.items():
        if value:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"--pseudo-perplexity fills nothing; leave out {option}")
