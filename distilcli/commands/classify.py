"""`distil classify`: labels and scores for every row of files."""

from typing import Annotated

import typer

from distilcli.commands import _options as options
from distilcli.commands._option_groups import RunOptions, over_files
from distilcli.errors import UsageError


@over_files(model="sentiment")
def classify(
    run: RunOptions,
    text_column: options.TextColumnOption = None,
    pair_column: options.PairColumnOption = None,
    top_k: Annotated[
        int | None,
        typer.Option("--top-k", min=1, help="How many labels a row gets, the likeliest first (1)."),
    ] = None,
    all_scores: Annotated[
        bool, typer.Option("--all-scores", help="Add a column score_LABEL for every label.")
    ] = False,
    multi_label: Annotated[
        bool,
        typer.Option("--multi-label", help="A row gets every label above the threshold (sigmoid)."),
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            min=0,
            max=1,
            help="The least score of a label, for several labels (0.5).",
        ),
    ] = None,
    window_pooling: options.WindowPoolingOption = None,
) -> int:
    """Label rows: sentiment with the built-in model, anything with a model of your own.

    Every row comes out once, in order, its columns untouched, label and score after them. A
    terminal gets a table, a pipe gets rows in the input's own format.

    Examples: distil classify reviews.csv · distil classify "data/*.jsonl.gz" -o labelled.jsonl ·
    tail -f app.log | distil classify - · distil classify --text "I loved it"
    """
    source = run.open_rows(text_column)
    text_column = source.text_column
    if pair_column is not None:
        pair_column = source.find_column(pair_column)

    from distilcli.predictors.classifier import Classifier
    from distilcli.tasks.classify import ClassificationColumns
    from distilcli.tasks.files import texts_from

    classifier = Classifier(
        run.model,
        multi_label=multi_label,
        **run.computing,
        long_texts=run.long_texts(window_pooling),
    )
    if threshold is not None and classifier.kind != "multi":
        raise UsageError("--threshold is for models of several labels; add --multi-label")
    if top_k is not None and classifier.kind != "single":
        raise UsageError("--top-k is for models that give one label of several; see --all-scores")
    columns = ClassificationColumns(
        classifier.labels,
        classifier.kind,
        top_k=top_k or 1,
        all_scores=all_scores,
        threshold=0.5 if threshold is None else threshold,
    )
    engine = classifier.engine(texts_from(text_column, pair_column), on_error=run.on_error)
    return run.carry(
        "classify",
        source,
        classifier,
        engine,
        columns,
        text_columns=[text_column, *([pair_column] if pair_column else [])],
    )
