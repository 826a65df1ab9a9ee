"""`distil fill`: words for the masks in every row of files."""

from typing import Annotated, Any

from distilcli.commands._declare import listed, opt, options
from distilcli.commands._file_run import FileOptions, FileRun
from distilcli.commands._option_groups import TextColumnOption


@options(topic="Masks", leave_out={"window_pooling"}, long="window")
def fill(
    common: FileOptions,
    text_column: TextColumnOption = None,
    top_k: Annotated[
        int | None, opt("Tokens per mask, most likely first (default: 5).", min=1)
    ] = None,
    targets: Annotated[
        str | None, opt("Consider only these tokens: a,b,c.", metavar="TOKENS")
    ] = None,
    whole_word: Annotated[
        bool, opt("Consider only whole words: no ##pieces, punctuation or special tokens.")
    ] = False,
    pseudo_perplexity: Annotated[
        bool,
        opt("Fill nothing; score how likely each text is, masking one token at a time."),
    ] = False,
) -> int:
    """Fill in the [MASK]s of texts with the most likely words and their probabilities.

    Rows get the filled text, the product of the best tokens' probabilities, and a list of tokens
    for each mask. Each mask is scored with the others still masked. Long texts are read in
    windows that share at most half of their tokens.

    Examples:
      distil fill -m MODEL --text "I [MASK] this film."
      distil fill gaps.csv -m MODEL --targets good,bad
      distil fill lines.txt -m MODEL --pseudo-perplexity
    """
    if pseudo_perplexity:
        common.given.refuse(
            ("top_k", "targets", "whole_word"), "is for masks; leave it out or `pseudo_perplexity`"
        )
    source = common.open_rows(text_column)
    text_column = source.text_column

    from distilcli.console.fills import FillsPreview
    from distilcli.predictors.mask_filler import MaskFiller
    from distilcli.tasks.files import text_from
    from distilcli.tasks.fill import FillColumns
    from distilcli.tasks.perplexity import PerplexityColumns

    filler = MaskFiller(
        common.compute.model,
        top_k=top_k or 5,
        targets=None if targets is None else listed(targets),
        whole_word=whole_word,
        **common.predictor_settings(),
    )
    engine_of: Any = filler.perplexity_engine if pseudo_perplexity else filler.engine
    run: FileRun[Any, Any] = FileRun(
        options=common,
        source=source,
        predictor=filler,
        engine=engine_of(text_from(text_column), on_error=common.rows.on_error),
        columns=PerplexityColumns() if pseudo_perplexity else FillColumns(),
        text_columns=[text_column],
        preview=None if pseudo_perplexity else FillsPreview,
    )
    return run.run()
