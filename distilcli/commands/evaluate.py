"""`distil evaluate`: a model, or predictions in a file, against gold labels."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from distilcli.commands._declare import GivenOptions, argument, opt, options
from distilcli.commands._evaluate_options import GoldColumns, Measures
from distilcli.commands._file_run import (
    EXIT_SOME_ROWS_FAILED,
    hint_at_auto,
    noted_agreement,
    open_sink,
    write_report,
)
from distilcli.commands._option_groups import (
    Compute,
    ForceOption,
    FormatOption,
    LongTexts,
    Report,
    RowsIn,
    RowsOut,
    check_outputs,
)
from distilcli.console import Console

if TYPE_CHECKING:
    from distilcli.evaluation.evaluation import Evaluation, Outcome
    from distilcli.rows import RowSource
    from distilcli.stats import RunStats

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
    topic="Output",
    leave_out={"files", "texts", "whole_files", "file_column", "model", "dry_run"},
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
    gold: GoldColumns,
    measures: Measures,
    long_texts: LongTexts,
    compute: Compute,
    report_to: Report,
    given: GivenOptions,
    data: Annotated[
        list[str] | None,
        argument("Rows with gold labels (default: those of the predictions).", "[DATA]..."),
    ] = None,
    errors: Annotated[
        str | None, opt("Write the wrong rows to FILE, worst first.", metavar="FILE")
    ] = None,
    plot: Annotated[
        str | None,
        opt("With --max-error: draw the error by coverage to FILE (.png or .svg).", metavar="FILE"),
    ] = None,
    force: ForceOption = False,
    table_format: FormatOption = "auto",
) -> int:
    """Measure a model on rows with gold labels, or the predictions in a file against them.

    A pipe gets a line for each metric; shares are from 0 to 1. classify: accuracy, precision and
    recall (means over labels), macro_f1, micro_f1, matthews, auc, ece (calibration error); qa:
    exact_match and f1 as in SQuAD; tag: entities as in conlleval; regress and embed (cosine of two
    texts): pearson, spearman; mlm: perplexity.

    Examples:
      distil evaluate sentiment dev.csv --min accuracy=0.9
      distil evaluate labelled.csv --label-column gold --by source
      distil evaluate MODEL dev.json --threshold-search
      distil evaluate MODEL valid.csv --max-error 0.02
    """
    measures.check()
    predictions, source = _open_rows(subject, data, rows, gold)
    _check_named(subject, predictions, source, gold, compute)
    out = RowsOut(output=errors, force=force)
    _check_written(subject, [each for each in (predictions, source) if each], out, report_to)
    if plot is not None:
        from distilcli.pictures import check_plot

        check_plot(plot, force=force)

    from distilcli.console.evaluation import show_evaluation, show_row_notes, show_thresholds
    from distilcli.evaluation.abstention import check_abstention
    from distilcli.evaluation.calibrate import check_calibration, save_calibrated
    from distilcli.evaluation.evaluation import EvaluationOptions
    from distilcli.evaluation.gates import check_gates
    from distilcli.evaluation.of_model import ModelSubject
    from distilcli.evaluation.plot import plot_risk_coverage
    from distilcli.evaluation.report import report_of
    from distilcli.evaluation.run import (
        check_settings,
        long_texts_of,
        open_subject,
        with_thresholds,
    )

    columns = gold.columns()
    opened = open_subject(
        subject, predictions, source, task=measures.task, prefix=gold.prefix,
        pair_column=gold.pair_column, offline=compute.offline,
    )  # fmt: skip
    check_settings(opened, dict.fromkeys(given, True))
    if measures.max_error is not None and isinstance(opened, ModelSubject):
        check_abstention(opened, measures.max_error)
    gates = measures.gates(opened.task)
    if measures.calibrate:
        check_calibration(subject)
    long = long_texts_of(
        opened.task,
        long=long_texts.long if "long" in given else None,
        max_length=long_texts.max_length,
        stride=long_texts.stride,
        window_pooling=long_texts.window_pooling,
    )
    evaluation = opened.evaluation(
        EvaluationOptions(
            columns=columns,
            prefix=gold.prefix,
            label_map=measures.labels(),
            threshold=measures.threshold,
            limited=rows.limit is not None,
            on_error=rows.on_error,
            predictor={
                **compute.settings(),
                "long_texts": long,
                "keep_empty": rows.keep_empty,
            },
        )
    )
    console, by = report_to.console, measures.by
    outcome, stats = _run(console, evaluation, by, keep_rows=errors is not None, rows=rows)
    show_row_notes(console, outcome)
    found = None
    if measures.max_error is not None:
        outcome, found = with_thresholds(
            opened, outcome, max_error=measures.max_error, confidence=measures.confidence,
            per_label=measures.per_label,
        )  # fmt: skip
    added = save_calibrated(subject, outcome.results) if measures.calibrate else {}
    report = report_of(
        outcome, confidence=measures.confidence, search=measures.threshold_search,
        added={**added, **(found.metrics if found else {})}, tables=found.tables if found else (),
    )  # fmt: skip
    if stats.batches and not report_to.json_summary:
        _show_run(console, evaluation, given, stats)
    show_evaluation(console, report, by=by, table_format=table_format)
    if errors is not None:
        _write_errors(console, evaluation, outcome, out)
    content: dict[str, Any] = {
        "command": "evaluate",
        "subject": evaluation.name,
        "task": evaluation.task,
        **noted_agreement(console, evaluation.agreement),
        "input": evaluation.source.name,
    }
    write_report({**content, **report.as_dict(), **stats.as_dict()}, report_to)
    if found is not None:
        show_thresholds(console, found, subject)
        if plot is not None:
            plot_risk_coverage(found, plot, title=f"Error by coverage of {evaluation.name}")
        found.check()
    check_gates(gates, report.metrics)
    return EXIT_SOME_ROWS_FAILED if stats.failed else 0


def _open_rows(
    subject: str, data: list[str] | None, rows: RowsIn, gold: GoldColumns
) -> "tuple[RowSource | None, RowSource | None]":
    """Open the rows of predictions, if there are any, and those with gold labels."""
    from distilcli.evaluation.files import is_answers, is_predictions

    are_predictions = is_predictions(subject, has_data=bool(data))
    source = replace(rows, files=data).open(gold.text_column) if data else None
    if not are_predictions or is_answers(subject):
        return None, source
    # --limit is for the data; predictions that are matched by ids may be in another order.
    limit = rows.limit if source is None else None
    return replace(rows, files=[subject], limit=limit).open(), source


def _check_named(
    subject: str,
    predictions: "RowSource | None",
    source: "RowSource | None",
    gold: GoldColumns,
    compute: Compute,
) -> None:
    """Find the model and the named columns before torch is loaded: they may not be there.

    Only rows with a header have the same columns everywhere.
    """
    from distilcli.checkpoint.locate import locate
    from distilcli.evaluation.files import is_answers
    from distilcli.rows.formats import JSON_FORMATS

    if predictions is None and not is_answers(subject):
        locate(subject, offline=compute.offline)
    labelled = source or predictions
    if labelled is None or labelled.format in JSON_FORMATS:
        return
    for column in (gold.text_column, gold.label_column, gold.pair_column):
        if column is not None:
            labelled.find_column(column)


def _check_written(
    subject: str, read: "Sequence[RowSource]", out: RowsOut, report_to: Report
) -> None:
    """Raise `UsageError` for files that may not be written, such as those that are read."""
    # Answers by ids are read too, and are not rows.
    paths = [Path(subject), *(path for rows in read for path in rows.paths)]
    check_outputs({"errors": out.output}, paths)
    out.check()
    report_to.check(paths, errors=out.output)


def _run(
    console: Console, evaluation: "Evaluation", by: str | None, *, keep_rows: bool, rows: RowsIn
) -> "tuple[Outcome, RunStats]":
    from distilcli.console.progress import rows_progress
    from distilcli.stats import RunStats

    source = evaluation.source
    column = None if by is None else source.find_column(by)
    stats = RunStats(device=evaluation.device, load_seconds=evaluation.load_seconds)
    console.note(f"{evaluation.described}, task {evaluation.task}, rows {source.name}")
    with source, rows_progress(console, stats, source):
        outcome = evaluation.run(stats, by=column, keep_rows=keep_rows, on_error=rows.on_error)
    console.note(*source.new_notes())
    return outcome, stats


def _show_run(
    console: Console, evaluation: "Evaluation", given: GivenOptions, stats: "RunStats"
) -> None:
    """Say what the run of a model cost."""
    from distilcli.console.summary import show_summary

    show_summary(console, stats, Counter())
    hint_at_auto(console, given, evaluation.may_be_slow, stats)


def _write_errors(
    console: Console, evaluation: "Evaluation", outcome: "Outcome", out: RowsOut
) -> None:
    from distilcli.evaluation.report import free_prefix, worst_rows

    names = outcome.results.error_columns
    prefix = free_prefix(evaluation.source.columns, names)
    if prefix:
        console.note(
            f"the rows already have columns of these names; the new ones begin with {prefix!r}"
        )
    with open_sink(console, evaluation.source, names, replace(out, prefix=prefix)) as sink:
        for block in worst_rows(outcome):
            sink.write_rows(block)
