"""`distil evaluate`: how good a model is, or predictions are, on rows with what was expected."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from distilcli.commands import _options as options
from distilcli.commands._file_run import (
    EXIT_SOME_ROWS_FAILED,
    open_sink,
    told_agreement,
    write_report,
)
from distilcli.commands._option_groups import RunOptions
from distilcli.errors import UsageError
from distilcli.tasks.spec import TaskName

if TYPE_CHECKING:
    from distilcli.evaluation.evaluation import Evaluation, Outcome
    from distilcli.rows import RowSource


def evaluate(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="PREDICTIONS_OR_MODEL",
            help="A file that distil has written, - for standard input, or a model.",
        ),
    ],
    data: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DATA]...",
            help="Rows with what is expected; left out, it stands in the rows of the predictions.",
        ),
    ] = None,
    task: Annotated[
        TaskName | None,
        typer.Option("--task", help="What was done; left out: as the model or the columns say."),
    ] = None,
    label_column: Annotated[
        str | None,
        typer.Option("--label-column", metavar="NAME", help="The column with what is expected."),
    ] = None,
    text_column: options.TextColumnOption = None,
    pair_column: Annotated[
        str | None,
        typer.Option(
            "--pair-column", metavar="NAME", help="The column with a second text, or the context."
        ),
    ] = None,
    label_separator: Annotated[
        str | None,
        typer.Option(
            "--label-separator",
            metavar="SIGN",
            help="multilabel: what stands between the labels of a cell (a comma).",
        ),
    ] = None,
    options_column: Annotated[
        str | None,
        typer.Option(
            "--options-column", metavar="NAME", help="choose: the column with a list of options."
        ),
    ] = None,
    option_columns: Annotated[
        str | None,
        typer.Option("--option-columns", metavar="NAMES", help="choose: a column for each option."),
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option("--prefix", help="What the names of the columns with predictions begin with."),
    ] = None,
    label_map: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="LABEL=NAME",
            help="Map data labels to model labels, e.g. 0=negative,1=positive (may be repeated).",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            min=0,
            max=1,
            help="multilabel: the least score of a label (0.5); qa: no answer above this.",
        ),
    ] = None,
    threshold_search: Annotated[
        bool,
        typer.Option(
            "--threshold-search", help="Find the threshold of the best F1, and say what it is."
        ),
    ] = False,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate",
            help="Fit a temperature on these rows; save it in the model's folder, for classify.",
        ),
    ] = False,
    confidence: Annotated[
        float | None,
        typer.Option(
            "--confidence",
            metavar="SHARE",
            help="Give each figure an interval, 0.95 say, by drawing the rows again 1000 times.",
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            "--by", metavar="COLUMN", help="Also give the figures for each of its values."
        ),
    ] = None,
    errors: Annotated[
        str | None,
        typer.Option(
            "--errors", metavar="FILE", help="Write the rows gone wrong here, the worst first."
        ),
    ] = None,
    force: options.ForceOption = False,
    minimum: Annotated[
        list[str] | None,
        typer.Option("--min", metavar="METRIC=VALUE", help="Exit with 7 if a metric is lower."),
    ] = None,
    maximum: Annotated[
        list[str] | None,
        typer.Option("--max", metavar="METRIC=VALUE", help="Exit with 7 if a metric is higher."),
    ] = None,
    table_format: options.FormatOption = "auto",
    input_format: options.InputFormatOption = None,
    encoding: options.EncodingOption = "utf-8",
    delimiter: options.DelimiterOption = None,
    no_header: options.NoHeaderOption = False,
    limit: options.LimitOption = None,
    on_error: Annotated[
        Literal["stop", "skip"],
        typer.Option(
            "--on-error",
            help="A row that cannot be used, or has no label: the end, or left out and counted.",
        ),
    ] = "stop",
    long: Annotated[
        Literal["truncate", "window", "error"] | None,
        typer.Option(
            "--long",
            help="Texts longer than the model reads: cut, windowed, or an error; left out: as the "
            "command of the task does.",
        ),
    ] = None,
    max_length: options.MaxLengthOption = None,
    stride: options.StrideOption = None,
    window_pooling: options.WindowPoolingOption = None,
    batch: options.BatchOption = None,
    max_tokens: options.MaxTokensOption = None,
    threads: options.ThreadsOption = None,
    device: options.DeviceOption = "auto",
    precision: options.PrecisionOption = "fp32",
    min_agreement: options.MinAgreementOption = None,
    stats_file: options.StatsOption = None,
    json_summary: options.JsonOption = False,
    offline: options.OfflineOption = False,
    quiet: options.QuietOption = False,
) -> int:
    """Measure a model on rows, or the predictions that a file has of them.

    A pipe gets a line for each figure; shares are from 0 to 1. classify: accuracy, precision and
    recall (means over labels), macro_f1, micro_f1, matthews, auc, ece (calibration error); qa:
    exact_match and f1 as SQuAD counts them; tag: entities as conlleval counts them; regress and
    embed (cosine of two texts): pearson, spearman; mlm: perplexity.

    Examples: distil evaluate sentiment dev.csv --min accuracy=0.9 · distil evaluate labelled.csv
    --label-column gold --by source · distil evaluate MODEL dev.json --threshold-search
    """
    run = RunOptions(
        model=subject,
        files=data,
        output=errors,
        force=force,
        input_format=input_format,
        encoding=encoding,
        delimiter=delimiter,
        no_header=no_header,
        limit=limit,
        max_length=max_length,
        stride=stride,
        batch=batch,
        max_tokens=max_tokens,
        threads=threads,
        device=device,
        precision=precision,
        min_agreement=min_agreement,
        stats_file=stats_file,
        json_summary=json_summary,
        offline=offline,
        quiet=quiet,
    )
    if confidence is not None and not 0 < confidence < 1:
        raise UsageError(f"`confidence` {confidence:g}: give a share between 0 and 1, such as 0.95")

    from distilcli.evaluation.run import check_settings, is_predictions, long_texts_of, open_subject
    from distilcli.gold.columns import Columns
    from distilcli.gold.labels import label_map as read_label_map

    # What is written is checked once it is known what is read.
    reading = replace(run, output=None)
    source = reading.open_rows(text_column) if data else None
    predictions = _predictions(reading, source) if is_predictions(subject) else None
    _check_written(run, [rows for rows in (predictions, source) if rows is not None])

    from distilcli.console.evaluation import show_evaluation, show_row_notes
    from distilcli.console.progress import rows_progress
    from distilcli.console.summary import show_summary
    from distilcli.evaluation.calibrate import check_calibration, save_calibrated
    from distilcli.evaluation.evaluation import EvaluationOptions
    from distilcli.evaluation.gates import check_gates, parse_gates
    from distilcli.evaluation.report import report_of
    from distilcli.stats import RunStats

    columns = Columns(
        text_column=text_column,
        pair_column=pair_column,
        label_column=label_column,
        options_column=options_column,
        option_columns=tuple(options.listed(option_columns or "")),
        label_separator=label_separator,
    )
    opened = open_subject(
        subject, predictions, source, task=task, prefix=prefix, columns=columns, offline=offline
    )
    names = read_label_map(part for given in label_map or () for part in options.listed(given))
    check_settings(
        opened,
        {
            **{name: getattr(columns, name) for name in Columns.__slots__},
            "label_map": label_map,
            "prefix": prefix,
            "threshold": threshold,
            "threshold_search": threshold_search,
            "calibrate": calibrate,
            "long": long,
            "max_length": max_length,
            "stride": stride,
            "window_pooling": window_pooling,
            "batch": batch,
            "max_tokens": max_tokens,
            "threads": threads,
            "device": None if device == "auto" else device,
            "precision": None if precision == "fp32" else precision,
        },
    )
    known = opened.task.metrics + (opened.task.search_metrics if threshold_search else ())
    gates = parse_gates(minimum or (), maximum or (), known=known)
    if calibrate:
        check_calibration(subject)
    long_texts = long_texts_of(
        opened.task, long=long, max_length=max_length, stride=stride, window_pooling=window_pooling
    )
    exam = opened.evaluation(
        EvaluationOptions(
            columns=columns,
            prefix=prefix,
            label_map=names,
            threshold=threshold,
            limited=limit is not None,
            on_error=on_error,
            predictor={**run.computing, "long_texts": long_texts},
        )
    )
    if by is not None:
        by = exam.source.find_column(by)
    console, stats = run.console, RunStats(device=exam.device, load_seconds=exam.load_seconds)
    console.note(f"{exam.described}, task {exam.task}, rows {exam.source.name}")
    with exam.source, rows_progress(console, stats, exam.source):
        outcome = exam.run(stats, by=by, keep_rows=errors is not None, on_error=on_error)
    show_row_notes(console, outcome)
    report = report_of(
        outcome, confidence=confidence, search=threshold_search,
        added=save_calibrated(subject, outcome.results) if calibrate else {},
    )  # fmt: skip
    if stats.batches and not json_summary:
        show_summary(console, stats, Counter())
    show_evaluation(console, report, by=by, table_format=table_format)
    if errors is not None:
        _write_errors(run, exam, outcome)
    about = {
        "command": "evaluate",
        "subject": exam.name,
        "task": exam.task,
        **told_agreement(console, exam.agreement),
    }
    write_report(
        {**about, "input": exam.source.name, **report.as_dict(), **stats.as_dict()}, run.report
    )
    check_gates(gates, report.metrics)
    return EXIT_SOME_ROWS_FAILED if stats.failed else 0


def _predictions(run: RunOptions, data: "RowSource | None") -> "RowSource | None":
    """Open the rows of predictions; None for answers by ids, which are not rows."""
    from distilcli.evaluation.run import is_answers

    if is_answers(run.model):
        return None
    # --limit is for the data; predictions that are matched by ids may be in another order.
    limit = run.limit if data is None else None
    return replace(run, files=[run.model], limit=limit).open_rows()


def _check_written(run: RunOptions, read: "Sequence[RowSource]") -> None:
    """Raise `UsageError` for files that may not be written, those that are read among them."""
    from distilcli.rows import is_same_file

    # Answers by ids are read too, and are no rows.
    paths = [Path(run.model), *(path for rows in read for path in rows.paths)]
    for path in paths:
        if run.output is not None and is_same_file(run.output, path):
            raise UsageError(f"{path}: --errors would replace this input; name another file")
    run.report.spare(paths)
    run.destination.check()
    run.report.check(output=run.output)


def _write_errors(run: RunOptions, exam: "Evaluation", outcome: "Outcome") -> None:
    from distilcli.evaluation.report import free_prefix, worst_rows

    names = outcome.results.error_columns
    prefix = free_prefix(exam.source.columns, names)
    if prefix:
        run.console.note(f"the rows have columns of these names: those of errors are {prefix}…")
    destination = replace(run.destination, prefix=prefix)
    with open_sink(run.console, exam.source, names, destination) as sink:
        for block in worst_rows(outcome):
            sink.write_rows(block)
