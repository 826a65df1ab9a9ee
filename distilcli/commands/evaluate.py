"""`distil evaluate`: a model, or predictions in a file, against gold labels."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from distilcli.commands._declare import GivenOptions, argument, listed, opt, options
from distilcli.commands._file_run import (
    EXIT_SOME_ROWS_FAILED,
    noted_agreement,
    open_sink,
    write_report,
)
from distilcli.commands._option_groups import (
    Compute,
    ForceOption,
    FormatOption,
    LabelColumnsOption,
    LabelsOption,
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
from distilcli.console import Console
from distilcli.errors import UsageError
from distilcli.tasks.spec import TaskName, TaskSpec

if TYPE_CHECKING:
    from distilcli.evaluation.evaluation import Evaluation, Outcome
    from distilcli.evaluation.gates import Gate
    from distilcli.gold.columns import Columns
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


@dataclass(frozen=True, kw_only=True, slots=True)
class GoldColumns:
    """Which columns hold the texts, the gold labels and the predictions."""

    topic: ClassVar[str] = "Input"

    text_column: TextColumnOption = None
    pair_column: PairColumnOption = None
    label_column: Annotated[
        str | None, opt("Column with the gold label.", topic="Input", metavar="NAME")
    ] = None
    label_separator: Annotated[
        str | None,
        opt("multilabel: separator of the labels in a cell (default: a comma).", metavar="CHAR"),
    ] = None
    label_columns: LabelColumnsOption = None
    labels: LabelsOption = None
    options_column: OptionsColumnOption = None
    option_columns: OptionColumnsOption = None
    prefix: Annotated[str | None, opt("Prefix of the columns with predictions.")] = None

    def columns(self) -> "Columns":
        """Return the columns that were named."""
        from distilcli.gold.columns import Columns

        return Columns(
            text_column=self.text_column,
            pair_column=self.pair_column,
            label_column=self.label_column,
            options_column=self.options_column,
            option_columns=tuple(listed(self.option_columns)),
            label_separator=self.label_separator,
            label_columns=tuple(listed(self.label_columns)),
            labels=tuple(listed(self.labels)),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Measures:
    """What is measured, and how good it must be."""

    topic: ClassVar[str] = "Evaluation"

    task: Annotated[
        TaskName | None, opt("The task (default: as the model or the columns say).")
    ] = None
    minimum: Annotated[
        list[str] | None,
        opt("Exit with 7 if a metric is lower.", "--min", metavar="METRIC=VALUE"),
    ] = None
    maximum: Annotated[
        list[str] | None,
        opt("Exit with 7 if a metric is higher.", "--max", metavar="METRIC=VALUE"),
    ] = None
    by: Annotated[
        str | None, opt("Also give the metrics for each value of a column.", metavar="COLUMN")
    ] = None
    confidence: Annotated[
        float | None,
        opt(
            "Add a bootstrap interval to each metric, such as 0.95 (1000 samples).", metavar="0..1"
        ),
    ] = None
    label_map: Annotated[
        list[str] | None,
        opt(
            "Map data labels to model labels, e.g. 0=negative,1=positive; may be repeated.",
            "--map",
            metavar="LABEL=NAME",
        ),
    ] = None
    threshold: Annotated[
        float | None,
        opt(
            "multilabel: minimum score of a label (default: 0.5); qa: no answer above this.",
            min=0,
            max=1,
        ),
    ] = None
    threshold_search: Annotated[bool, opt("Find and report the threshold with the best F1.")] = (
        False
    )
    calibrate: Annotated[
        bool,
        opt("Fit a temperature on these rows and save it in the model's folder, for classify."),
    ] = False

    def check(self) -> None:
        """Raise `UsageError` for a confidence that is not a share."""
        if self.confidence is not None and not 0 < self.confidence < 1:
            raise UsageError(
                f"`confidence` {self.confidence:g}: give a share between 0 and 1, such as 0.95"
            )

    def gates(self, task: TaskSpec) -> "Sequence[Gate]":
        """Return the gates; raise `UsageError` for a metric that the task does not have."""
        from distilcli.evaluation.gates import parse_gates

        known = task.metrics + (task.search_metrics if self.threshold_search else ())
        return parse_gates(self.minimum or (), self.maximum or (), known=known)

    def labels(self) -> dict[str, str]:
        """Return the label of the model for each label of the data that was mapped."""
        from distilcli.gold.labels import label_map

        return dict(label_map(part for each in self.label_map or () for part in listed(each)))


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
    """
    measures.check()
    predictions, source = _open_rows(subject, data, rows, gold)
    out = RowsOut(output=errors, force=force)
    _check_written(subject, [each for each in (predictions, source) if each], out, report_to)

    from distilcli.console.evaluation import show_evaluation, show_row_notes
    from distilcli.console.summary import show_summary
    from distilcli.evaluation.calibrate import check_calibration, save_calibrated
    from distilcli.evaluation.evaluation import EvaluationOptions
    from distilcli.evaluation.gates import check_gates
    from distilcli.evaluation.report import report_of
    from distilcli.evaluation.run import check_settings, long_texts_of, open_subject

    columns = gold.columns()
    opened = open_subject(
        subject, predictions, source, task=measures.task, prefix=gold.prefix,
        pair_column=gold.pair_column, offline=compute.offline,
    )  # fmt: skip
    check_settings(opened, dict.fromkeys(given, True))
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
    report = report_of(
        outcome, confidence=measures.confidence, search=measures.threshold_search,
        added=save_calibrated(subject, outcome.results) if measures.calibrate else {},
    )  # fmt: skip
    if stats.batches and not report_to.json_summary:
        show_summary(console, stats, Counter())
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
