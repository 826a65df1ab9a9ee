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

if TYPE_CHECKING:
    from distilcli.evaluation.run import Evaluation, Outcome
    from distilcli.rows import RowSource
    from distilcli.tasks.settings import LongTexts
    from distilcli.tokenizer.windows import Long

_PREDICTION_SUFFIXES = ("csv", "tsv", "jsonl", "txt", "conll", "json")
_WINDOWED = ("tag", "qa", "mlm")


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
        Literal["classify", "multilabel", "regress", "tag", "qa", "mlm", "embed", "choose"] | None,
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
        str | None,
        typer.Option(
            "--map",
            metavar="LABEL=NAME",
            help="What labels of the rows are called by the model: 0=negative,1=positive.",
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
    least: Annotated[
        list[str] | None,
        typer.Option("--min", metavar="METRIC=VALUE", help="Exit with 7 if a figure is lower."),
    ] = None,
    most: Annotated[
        list[str] | None,
        typer.Option("--max", metavar="METRIC=VALUE", help="Exit with 7 if a figure is higher."),
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
        raise UsageError(f"--confidence {confidence:g}: give a share between 0 and 1, such as 0.95")
    is_file = _is_file(subject)
    # What is written is checked once it is known what is read.
    reading = replace(run, output=None)
    source = reading.open_rows(text_column) if data else None
    if source is None and not is_file:
        raise UsageError(f"{subject}: is a model, no file; name rows to evaluate it on as well")
    if is_file and calibrate:
        raise UsageError(f"--calibrate changes a model, and {subject} is a file of predictions")
    predictions = _predictions(reading, with_data=source is not None) if is_file else None
    _check_written(run, [rows for rows in (predictions, source) if rows is not None])

    from distilcli.console.evaluation import show_evaluation, tell_of_rows
    from distilcli.console.progress import rows_progress
    from distilcli.console.summary import show_summary
    from distilcli.evaluation.calibrate import check_calibration, save_calibrated
    from distilcli.evaluation.gates import check_gates, parse_gates
    from distilcli.evaluation.of_model import open_model
    from distilcli.evaluation.of_predictions import open_predictions
    from distilcli.evaluation.report import report_of
    from distilcli.evaluation.run import EvaluationOptions
    from distilcli.evaluation.tasks import metrics_of, refuse_without_effect
    from distilcli.stats import RunStats

    opened = (
        open_model(subject, source, task=task, pair_column=pair_column, offline=offline)
        if source is not None and not is_file
        else open_predictions(subject, predictions, source, task=task, prefix=prefix)
    )
    given = {
        "--threshold": threshold,
        "--threshold-search": threshold_search or None,
        "--label-separator": label_separator,
        "--options-column": options_column,
        "--option-columns": option_columns,
        "--map": label_map,
        "--label-column": label_column,
        "--text-column": text_column,
        "--pair-column": pair_column,
        "--long": long,
        "--max-length": max_length,
        "--stride": stride,
        "--window-pooling": window_pooling,
        "--batch": batch,
        "--max-tokens": max_tokens,
        "--threads": threads,
        "--device": None if device == "auto" else device,
        "--precision": None if precision == "fp32" else precision,
        "--prefix": prefix,
    }
    told = [option for option, value in given.items() if value is not None]
    refuse_without_effect(opened.task, told, of_model=not is_file)
    metrics = metrics_of(opened.task, search=threshold_search)
    gates = parse_gates(least or (), most or (), known=metrics)
    if calibrate:
        check_calibration(subject, opened.task)
    exam = opened.exam(
        EvaluationOptions(
            text_column=text_column,
            pair_column=pair_column,
            label_column=label_column,
            options_column=options_column,
            option_columns=tuple(options.listed(option_columns or "")),
            names=_label_names(label_map),
            separator=label_separator or ",",
            threshold=threshold,
            limited=limit is not None,
            on_error=on_error,
            computing=run.computing,
            long_texts=_long_texts(run, opened.task, long, window_pooling),
        )
    )
    if by is not None:
        by = exam.source.find_column(by)
    console, stats = run.console, RunStats(device=exam.device, load_seconds=exam.load_seconds)
    console.note(f"{exam.described}, task {exam.task}, rows {exam.source.name}")
    with exam.source, rows_progress(console, stats, exam.source):
        outcome = exam.run(stats, by=by, keep_rows=errors is not None, on_error=on_error)
    tell_of_rows(console, outcome)
    report = report_of(
        outcome, confidence=confidence, search=threshold_search,
        added=save_calibrated(subject, outcome.measured) if calibrate else {},
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
    check_gates(gates, report.figures)
    return EXIT_SOME_ROWS_FAILED if stats.failed else 0


def _is_file(subject: str) -> bool:
    """Say whether predictions are meant, and not a model."""
    from distilcli.rows.formats import split_suffixes

    path = Path(subject)
    named = split_suffixes(subject)[0] in _PREDICTION_SUFFIXES
    return subject == "-" or path.is_file() or (named and not path.is_dir())


def _predictions(run: RunOptions, *, with_data: bool) -> "RowSource | None":
    """Open the rows of predictions; None for answers by ids, which are no rows."""
    from distilcli.rows.formats import split_suffixes

    if split_suffixes(run.model)[0] == "json":
        return None
    # Of the data so many rows are read; predictions that go by ids may stand in another order.
    return replace(run, files=[run.model], limit=None if with_data else run.limit).open_rows()


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


def _label_names(label_map: str | None) -> dict[str, str]:
    """Read `LABEL=NAME,…`; raise `UsageError` for what is none."""
    pairs = [part.partition("=") for part in options.listed(label_map or "")]
    for label, sign, name in pairs:
        if not (label.strip() and sign and name.strip()):
            raise UsageError(f"--map {label}{sign}{name}: write LABEL=NAME, such as 0=negative")
    return {label.strip(): name.strip() for label, _, name in pairs}


def _long_texts(
    run: RunOptions, task: str, long: "Long | None", window_pooling: str | None
) -> "LongTexts":
    """Return what is done with long texts; what is left out is as the task's command has it."""
    from distilcli.tasks.qa import MAX_LENGTH

    usual: Long = "window" if task in _WINDOWED else "truncate"
    length = run.max_length or (MAX_LENGTH if task == "qa" else None)
    return replace(run, long=long or usual, max_length=length).long_texts(window_pooling)


def _write_errors(run: RunOptions, exam: "Evaluation", outcome: "Outcome") -> None:
    from distilcli.evaluation.report import free_prefix, worst_rows

    names = outcome.measured.fault_names
    prefix = free_prefix(exam.source.columns, names)
    if prefix:
        run.console.note(f"the rows have columns of these names: those of errors are {prefix}…")
    destination = replace(run.destination, prefix=prefix)
    with open_sink(run.console, exam.source, names, destination) as sink:
        for block in worst_rows(outcome):
            sink.write_rows(block)
