"""`distil evaluate`: how good a model is, or its predictions are, on rows with gold labels."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from distilcli.commands._declare import argument, listed, opt, options
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
from distilcli.tasks.spec import TaskName

if TYPE_CHECKING:
    from distilcli.evaluation.evaluation import Evaluation, Outcome
    from distilcli.rows import RowSource

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
        TaskName | None,
        opt("The task (default: as the model or the columns say)."),
    ] = None,
    minimum: Annotated[
        list[str] | None,
        opt("Exit with 7 if a metric is lower.", "--min", metavar="METRIC=VALUE"),
    ] = None,
    maximum: Annotated[
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
        list[str] | None,
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
    on_error: Any = rows.on_error
    run = FileOptions(
        rows=replace(rows, files=data),
        out=RowsOut(output=errors, force=force),
        long=long_texts,
        compute=replace(compute, model=subject),
        report=report_to,
    )
    if confidence is not None and not 0 < confidence < 1:
        raise UsageError(f"`confidence` {confidence:g}: give a share between 0 and 1, such as 0.95")

    from distilcli.evaluation.run import check_settings, is_predictions, long_texts_of, open_subject
    from distilcli.gold.columns import Columns
    from distilcli.gold.labels import label_map as read_label_map

    source = run.rows.open(text_column) if data else None
    predictions = _predictions(run, source) if is_predictions(subject) else None
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
        option_columns=tuple(listed(option_columns)),
        label_separator=label_separator,
    )
    opened = open_subject(
        subject,
        predictions,
        source,
        task=task,
        prefix=prefix,
        columns=columns,
        offline=compute.offline,
    )
    names = read_label_map(part for given in label_map or () for part in listed(given))
    check_settings(
        opened,
        {
            **{name: getattr(columns, name) for name in Columns.__slots__},
            "label_map": label_map,
            "prefix": prefix,
            "threshold": threshold,
            "threshold_search": threshold_search,
            "calibrate": calibrate,
            **asdict(long_texts),
            **{name: getattr(compute, name) for name in ("batch", "max_tokens", "threads")},
            "device": None if compute.device == "auto" else compute.device,
            "precision": None if compute.precision == "fp32" else compute.precision,
        },
    )
    known = opened.task.metrics + (opened.task.search_metrics if threshold_search else ())
    gates = parse_gates(minimum or (), maximum or (), known=known)
    if calibrate:
        check_calibration(subject)
    exam = opened.evaluation(
        EvaluationOptions(
            columns=columns,
            prefix=prefix,
            label_map=names,
            threshold=threshold,
            limited=rows.limit is not None,
            on_error=on_error,
            predictor={
                **run.compute.settings(),
                "long_texts": long_texts_of(opened.task, **asdict(long_texts)),
            },
        )
    )
    if by is not None:
        by = exam.source.find_column(by)
    console, stats = report_to.console, RunStats(device=exam.device, load_seconds=exam.load_seconds)
    console.note(f"{exam.described}, task {exam.task}, rows {exam.source.name}")
    with exam.source, rows_progress(console, stats, exam.source):
        outcome = exam.run(stats, by=by, keep_rows=errors is not None, on_error=on_error)
    show_row_notes(console, outcome)
    report = report_of(
        outcome, confidence=confidence, search=threshold_search,
        added=save_calibrated(subject, outcome.results) if calibrate else {},
    )  # fmt: skip
    if stats.batches and not report_to.json_summary:
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
        {**about, "input": exam.source.name, **report.as_dict(), **stats.as_dict()}, report_to
    )
    check_gates(gates, report.metrics)
    return EXIT_SOME_ROWS_FAILED if stats.failed else 0


def _predictions(run: FileOptions, data: "RowSource | None") -> "RowSource | None":
    """Open the rows of predictions; None for answers by ids, which are not rows."""
    from distilcli.evaluation.run import is_answers

    subject = run.compute.model
    if is_answers(subject):
        return None
    # --limit is for the data; predictions that are matched by ids may be in another order.
    limit = run.rows.limit if data is None else None
    return replace(run.rows, files=[subject], limit=limit).open()


def _check_written(run: FileOptions, read: "Sequence[RowSource]") -> None:
    """Raise `UsageError` for files that may not be written, inputs among them."""
    # Answers by ids are read too, and are not rows.
    paths = [Path(run.compute.model), *(path for rows in read for path in rows.paths)]
    check_outputs({"errors": run.out.output}, paths)
    run.out.check()
    run.report.check(paths, errors=run.out.output)


def _write_errors(run: FileOptions, exam: "Evaluation", outcome: "Outcome") -> None:
    from distilcli.evaluation.report import free_prefix, worst_rows

    names, console = outcome.results.error_columns, run.report.console
    prefix = free_prefix(exam.source.columns, names)
    if prefix:
        console.note(f"the rows have columns of these names: those of errors are {prefix}…")
    out = replace(run.out, prefix=prefix)
    with open_sink(console, exam.source, names, out) as sink:
        for block in worst_rows(outcome):
            sink.write_rows(block)
