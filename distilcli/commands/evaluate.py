"""`distil evaluate`: how good a model is, or predictions are, on rows with what was expected."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from distilcli.commands._declare import GivenOptions, argument, listed, opt, options
from distilcli.commands._file_run import (
    EXIT_SOME_ROWS_FAILED,
    FileOptions,
    noted_agreement,
    open_sink,
    write_report,
)
from distilcli.commands._option_groups import (
    Compute,
    ForceOption,
    FormatOption,
    LongTexts,
    OptionColumnsOption,
    OptionsColumnOption,
    PairColumnOption,
    Report,
    RowsIn,
    RowsOut,
    TextColumnOption,
    check_outputs,
)
from distilcli.errors import UsageError

if TYPE_CHECKING:
    from distilcli.evaluation.run import Evaluation, Outcome
    from distilcli.rows import RowSource
    from distilcli.tasks.settings import LongTexts as LongTextSettings
    from distilcli.tokenizer.windows import Long

_PREDICTION_SUFFIXES = ("csv", "tsv", "jsonl", "txt", "conll", "json")
_WINDOWED = ("tag", "qa", "mlm")


_ON_ERROR = Annotated[
    Literal["stop", "skip"],
    opt("Rows that are unusable or have no label: stop, or skip and count them."),
]
_LONG = Annotated[
    Literal["truncate", "window", "error"] | None,
    opt(
        "Texts that are too long: truncate them, read them in windows, or fail the row (default: "
        "as the command of the task does)."
    ),
]


@options(
    topic="Evaluation",
    leave_out={"files", "texts", "model", "dry_run"},
    types={"on_error": _ON_ERROR, "long": _LONG},
    on_error="stop",
    long=None,
    model="",
)
def evaluate(
    subject: Annotated[
        str,
        argument(
            "A file that distil wrote, - for standard input, or a model.", "PREDICTIONS_OR_MODEL"
        ),
    ],
    rows: RowsIn,
    long_texts: LongTexts,
    compute: Compute,
    report_to: Report,
    given_options: GivenOptions,
    data: Annotated[
        list[str] | None,
        argument("Rows with gold labels (default: those of the predictions).", "[DATA]..."),
    ] = None,
    text_column: TextColumnOption = None,
    pair_column: PairColumnOption = None,
    label_column: Annotated[
        str | None, opt("Column with the gold label.", topic="Input", metavar="NAME")
    ] = None,
    label_separator: Annotated[
        str | None,
        opt(
            "multilabel: separator of the labels in a cell (default: a comma).",
            topic="Input",
            metavar="CHAR",
        ),
    ] = None,
    options_column: OptionsColumnOption = None,
    option_columns: OptionColumnsOption = None,
    prefix: Annotated[
        str | None, opt("Prefix of the columns with predictions.", topic="Input")
    ] = None,
    task: Annotated[
        Literal["classify", "multilabel", "regress", "tag", "qa", "mlm", "embed", "choose"] | None,
        opt("The task (default: as the model or the columns say)."),
    ] = None,
    least: Annotated[
        list[str] | None,
        opt("Exit with 7 if a metric is lower.", "--min", metavar="METRIC=VALUE"),
    ] = None,
    most: Annotated[
        list[str] | None,
        opt("Exit with 7 if a metric is higher.", "--max", metavar="METRIC=VALUE"),
    ] = None,
    by: Annotated[
        str | None, opt("Also give the metrics for each value of a column.", metavar="COLUMN")
    ] = None,
    confidence: Annotated[
        float | None,
        opt(
            "Add a bootstrap interval to each metric, such as 0.95 (1000 samples).", metavar="0..1"
        ),
    ] = None,
    label_map: Annotated[
        str | None,
        opt(
            "Map data labels to model labels, e.g. 0=negative,1=positive.",
            "--map",
            metavar="LABEL=NAME",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        opt(
            "multilabel: minimum score of a label (default: 0.5); qa: no answer above this.",
            min=0,
            max=1,
        ),
    ] = None,
    threshold_search: Annotated[
        bool, opt("Find and report the threshold with the best F1.")
    ] = False,
    calibrate: Annotated[
        bool,
        opt("Fit a temperature on these rows and save it in the model's folder, for classify."),
    ] = False,
    errors: Annotated[
        str | None,
        opt("Write the wrong rows to FILE, worst first.", topic="Output", metavar="FILE"),
    ] = None,
    force: ForceOption = False,
    table_format: FormatOption = "auto",
) -> int:
    """Measure a model on rows, or the predictions that a file has of them.

    A pipe gets a line for each figure; shares are from 0 to 1. classify: accuracy, precision and
    recall (means over labels), macro_f1, micro_f1, matthews, auc, ece (calibration error); qa:
    exact_match and f1 as SQuAD counts them; tag: entities as conlleval counts them; regress and
    embed (cosine of two texts): pearson, spearman; mlm: perplexity.

    Examples:
      distil evaluate sentiment dev.csv --min accuracy=0.9
      distil evaluate labelled.csv --label-column gold --by source
      distil evaluate MODEL dev.json --threshold-search
    """
    limit, on_error, json_summary = rows.limit, rows.on_error, report_to.json_summary
    run = FileOptions(
        rows=replace(rows, files=data),
        out=RowsOut(output=errors, force=force),
        long=long_texts,
        compute=replace(compute, model=subject),
        report=report_to,
    )
    if confidence is not None and not 0 < confidence < 1:
        raise UsageError(f"--confidence {confidence:g}: give a share between 0 and 1, such as 0.95")
    is_file = _is_file(subject)
    source = run.rows.open(text_column) if data else None
    if source is None and not is_file:
        raise UsageError(f"{subject}: is a model, no file; name rows to evaluate it on as well")
    if is_file and calibrate:
        raise UsageError(f"--calibrate changes a model, and {subject} is a file of predictions")
    predictions = _predictions(run, with_data=source is not None) if is_file else None
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
        open_model(subject, source, task=task, pair_column=pair_column, offline=compute.offline)
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
        "--long": long_texts.long,
        "--max-length": long_texts.max_length,
        "--stride": long_texts.stride,
        "--window-pooling": long_texts.window_pooling,
        "--batch": compute.batch,
        "--max-tokens": compute.max_tokens,
        "--threads": compute.threads,
        "--device": None if compute.device == "auto" else compute.device,
        "--precision": None if compute.precision == "fp32" else compute.precision,
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
            option_columns=tuple(listed(option_columns)),
            names=_label_names(label_map),
            separator=label_separator or ",",
            threshold=threshold,
            limited=limit is not None,
            on_error=on_error,
            computing=run.compute.settings(),
            long_texts=_long_texts(long_texts, opened.task, is_given="long" in given_options),
        )
    )
    if by is not None:
        by = exam.source.find_column(by)
    console, stats = (
        run.report.console,
        RunStats(device=exam.device, load_seconds=exam.load_seconds),
    )
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
        **noted_agreement(console, exam.agreement),
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


def _predictions(run: FileOptions, *, with_data: bool) -> "RowSource | None":
    """Open the rows of predictions; None for answers by ids, which are no rows."""
    from distilcli.rows.formats import split_suffixes

    subject = run.compute.model
    if split_suffixes(subject)[0] == "json":
        return None
    # Of the data so many rows are read; predictions that go by ids may stand in another order.
    limit = None if with_data else run.rows.limit
    return replace(run.rows, files=[subject], limit=limit).open()


def _check_written(run: FileOptions, read: "Sequence[RowSource]") -> None:
    """Raise `UsageError` for files that may not be written, those that are read among them."""
    # Answers by ids are read too, and are no rows.
    paths = [Path(run.compute.model), *(path for rows in read for path in rows.paths)]
    check_outputs({"errors": run.out.output}, paths)
    run.out.check()
    run.report.check(paths, errors=run.out.output)


def _label_names(label_map: str | None) -> dict[str, str]:
    """Read `LABEL=NAME,…`; raise `UsageError` for what is none."""
    pairs = [part.partition("=") for part in listed(label_map)]
    for label, sign, name in pairs:
        if not (label.strip() and sign and name.strip()):
            raise UsageError(f"--map {label}{sign}{name}: write LABEL=NAME, such as 0=negative")
    return {label.strip(): name.strip() for label, _, name in pairs}


def _long_texts(given: LongTexts, task: str, *, is_given: bool) -> "LongTextSettings":
    """Return what is done with long texts; what is left out is as the task's command has it."""
    from distilcli.tasks.qa import MAX_LENGTH

    usual: Long = "window" if task in _WINDOWED else "truncate"
    length = given.max_length or (MAX_LENGTH if task == "qa" else None)
    return replace(given, long=given.long if is_given else usual, max_length=length).settings()


def _write_errors(run: FileOptions, exam: "Evaluation", outcome: "Outcome") -> None:
    from distilcli.evaluation.report import free_prefix, worst_rows

    names = outcome.measured.fault_names
    prefix = free_prefix(exam.source.columns, names)
    if prefix:
        run.report.console.note(
            f"the rows have columns of these names: those of errors are {prefix}…"
        )
    out = replace(run.out, prefix=prefix)
    with open_sink(run.report.console, exam.source, names, out) as sink:
        for block in worst_rows(outcome):
            sink.write_rows(block)
