"""`distil classify`: labels and scores for every row of files."""

from typing import Annotated

import typer

from distilcli.commands import _options as options
from distilcli.commands._file_run import (
    OutputOptions,
    ReportOptions,
    estimate_over_files,
    long_texts,
    run_over_files,
)
from distilcli.console import Console
from distilcli.errors import UsageError


def classify(
    files: options.FilesArgument = None,
    texts: options.TextsOption = None,
    model: options.ModelOption = "sentiment",
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
    output: options.OutputOption = None,
    output_format: options.RowsFormatOption = "auto",
    prefix: options.PrefixOption = "",
    force: options.ForceOption = False,
    input_format: options.InputFormatOption = None,
    encoding: options.EncodingOption = "utf-8",
    delimiter: options.DelimiterOption = None,
    no_header: options.NoHeaderOption = False,
    limit: options.LimitOption = None,
    on_error: options.OnErrorOption = "keep",
    long: options.LongOption = "truncate",
    max_length: options.MaxLengthOption = None,
    stride: options.StrideOption = None,
    window_pooling: options.WindowPoolingOption = None,
    batch: options.BatchOption = None,
    max_tokens: options.MaxTokensOption = None,
    threads: options.ThreadsOption = None,
    device: options.DeviceOption = "auto",
    dry_run: options.DryRunOption = False,
    stats_file: options.StatsOption = None,
    json_summary: options.JsonOption = False,
    offline: options.OfflineOption = False,
    quiet: options.QuietOption = False,
) -> int:
    """Label rows: sentiment with the built-in model, anything with a model of your own.

    Every row comes out once, in order, its columns untouched, label and score after them. A
    terminal gets a table, a pipe gets rows in the input's own format.

    Examples: distil classify reviews.csv · distil classify "data/*.jsonl.gz" -o labelled.jsonl ·
    tail -f app.log | distil classify - · distil classify --text "I loved it"
    """
    from distilcli.rows import open_rows

    destination = OutputOptions(path=output, format=output_format, prefix=prefix, force=force)
    report = ReportOptions(stats_file=stats_file, as_json=json_summary)
    destination.check()
    report.check(output=output)
    source = open_rows(
        files or (),
        texts=texts or (),
        input_format=input_format,
        text_column=text_column,
        encoding=encoding,
        delimiter=delimiter,
        no_header=no_header,
        limit=limit,
    )
    report.spare(source.paths)
    text_column = source.text_column
    if pair_column is not None:
        pair_column = source.find_column(pair_column)

    from distilcli.stats import RunStats
    from distilcli.tasks.classifier import Classifier
    from distilcli.tasks.classify import ClassificationColumns
    from distilcli.tasks.files import texts_from
    from distilcli.tasks.settings import BatchOptions

    console = Console(quiet=quiet)
    classifier = Classifier(
        model,
        device=device,
        multi_label=multi_label,
        offline=offline,
        batches=BatchOptions(rows=batch, tokens=max_tokens, threads=threads),
        long_texts=long_texts(
            long=long, max_length=max_length, stride=stride, window_pooling=window_pooling
        ),
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
    read = "" if source.format == "txt" else f", text column {text_column!r}"
    console.note(classifier.described() + read)
    engine = classifier.engine(texts_from(text_column, pair_column), on_error=on_error)
    about = {"command": "classify", "model": classifier.name, "input": source.name}
    if dry_run:
        return estimate_over_files(console, source, engine, about=about, report=report)
    return run_over_files(
        console,
        source,
        engine,
        columns,
        text_columns=[text_column, *([pair_column] if pair_column else [])],
        stats=RunStats(device=classifier.device, load_seconds=classifier.load_seconds),
        about=about,
        output=destination,
        report=report,
    )
