"""The options of `distil evaluate`: where gold labels are, and what is measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from distilcli.commands._declare import listed, opt
from distilcli.commands._option_groups import (
    LabelColumnsOption,
    LabelsOption,
    OptionColumnsOption,
    OptionsColumnOption,
    PairColumnOption,
    TextColumnOption,
)
from distilcli.errors import UsageError
from distilcli.tasks.spec import ABSTENTION_METRICS, TaskName, TaskSpec

if TYPE_CHECKING:
    from distilcli.evaluation.gates import Gate
    from distilcli.gold.columns import Columns


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
            "Map data labels to model labels, e.g. 0=negative,1=positive.",
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
    max_error: Annotated[
        float | None,
        opt(
            "Find the lowest score at which at most this share of the answers is wrong, and save "
            "it in the model's folder, for classify and tag (confidence: 0.95, or --confidence).",
            metavar="0..1",
        ),
    ] = None
    per_label: Annotated[bool, opt("With --max-error: find a score for each label.")] = False

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
        known += ABSTENTION_METRICS if "max_error" in task.settings else ()
        return parse_gates(self.minimum or (), self.maximum or (), known=known)

    def labels(self) -> dict[str, str]:
        """Return the label of the model for each label of the data that was mapped."""
        from distilcli.gold.labels import label_map

        return dict(label_map(part for each in self.label_map or () for part in listed(each)))
