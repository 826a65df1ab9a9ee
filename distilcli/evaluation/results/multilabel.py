"""Multi-label results: any number of labels per row, gold and predicted."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from distilcli.checkpoint.abstention import Abstention
from distilcli.errors import InputError, UsageError
from distilcli.evaluation.evaluation import Comparison, Evaluation, EvaluationOptions
from distilcli.evaluation.prediction_columns import PredictedColumns, Prediction
from distilcli.evaluation.results.base import (
    EVERY,
    Results,
    Rows,
    Table,
    precision_recall_record,
    probabilities_of,
    stacked,
)
from distilcli.evaluation.results.classify import classifier_evaluation
from distilcli.gold import cells
from distilcli.gold.multilabel import LabelCell, label_lists
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row
from distilcli.scores.abstention import Decisions
from distilcli.scores.calibration import (
    expected_calibration_error,
    fit_sigmoid_temperature,
    reliability,
)
from distilcli.scores.classification import levels, macro_roc_auc, multi_label_scores
from distilcli.scores.precision_recall import Array
from distilcli.scores.thresholds import best_f1_threshold
from distilcli.tasks.classify import HALF as THRESHOLD
from distilcli.tasks.classify import Classification


@dataclass(frozen=True)
class MultilabelResults(Results):
    """Which of `labels` each row has: `gold` and `predicted`, booleans (N, labels).

    `probabilities` (N, labels) are those that each label applies; None if unknown.
    """

    labels: tuple[str, ...]
    gold: Array
    predicted: Array
    probabilities: Array | None = None
    abstention: Abstention | None = None

    decides_each_label = True

    @classmethod
    def of(
        cls,
        labels: Sequence[str],
        gold: Sequence[Sequence[str]],
        values: Sequence[Classification],
        *,
        threshold: float = THRESHOLD,
        abstention: Abstention | None = None,
    ) -> "MultilabelResults":
        """Compare what a classifier of these labels returned with the names of the gold labels."""
        probabilities = np.array([value.scores for value in values]).reshape(-1, len(labels))
        known = indicators(labels, gold)
        return cls(tuple(labels), known, probabilities >= threshold, probabilities, abstention)

    @classmethod
    def of_model(cls, model: str, source: RowSource, options: EvaluationOptions) -> Evaluation:
        threshold = THRESHOLD if options.threshold is None else options.threshold
        return classifier_evaluation(
            "multilabel", model, source, options,
            gold_of=lambda column, _: cells.label_cell_of(column, options.columns),
            resolve=lambda labels: lambda gold: _labels(gold, labels, source.name, options),
            measure=lambda model: partial(
                cls.of, model.labels, threshold=threshold, abstention=model.abstention
            ),
        )  # fmt: skip

    @classmethod
    def comparison(cls, source: RowSource, column: str, options: EvaluationOptions) -> Comparison:
        columns = options.columns

        def measure(gold: list[LabelCell], predictions: list[Prediction]) -> "MultilabelResults":
            found = label_lists(
                gold, separator=columns.label_separator, names=columns.labels, source=source.name
            )
            names = [[options.label_map.get(name, name) for name in of_row] for of_row in found]
            return cls.of_predictions(source.name, names, predictions, threshold=options.threshold)

        return cells.label_cell_of(column, options.columns), measure

    @classmethod
    def read_prediction(cls, columns: PredictedColumns, row: Row) -> Prediction:
        return Prediction(cells.labels_of(columns.first)(row), scores=columns.scores(row))

    @classmethod
    def of_predictions(
        cls,
        source: str,
        gold: list[list[str]],
        predictions: list[Prediction],
        *,
        threshold: float | None,
    ) -> "MultilabelResults":
        """Compare labels by name; the labels are those that appear on either side."""
        used = {label for prediction in predictions for label in prediction.value}
        known = {label for labels in gold for label in labels}
        columns = probabilities_of(source, predictions, used, known)
        labels = tuple(sorted({*columns, *used, *known}))
        probabilities = stacked(columns, labels)
        predicted = indicators(labels, [prediction.value for prediction in predictions])
        if threshold is not None:
            if probabilities is None:
                raise UsageError(
                    "`threshold` needs the probabilities of all labels; predict them with "
                    "`distil classify --all-scores`"
                )
            predicted = probabilities >= threshold
        return cls(labels, indicators(labels, gold), predicted, probabilities)

    def __len__(self) -> int:
        return len(self.gold)

    def metrics(self, rows: Rows = EVERY) -> dict[str, float]:
        """See `Results`; accuracy counts rows with exactly their labels, precision decisions."""
        scores = multi_label_scores(self.gold[rows], self.predicted[rows])
        found = {
            "accuracy": scores.accuracy,
            "precision": scores.micro.precision,
            "recall": scores.micro.recall,
            "micro_f1": scores.micro.f1,
            "macro_f1": scores.macro.f1,
        }
        if self.probabilities is not None and self._levels is not None:
            found["auc"] = macro_roc_auc(self.gold[rows], self._levels[rows])
            bins = reliability(self.probabilities[rows].ravel(), self.gold[rows].ravel())
            found["ece"] = expected_calibration_error(bins)
        return found | self.answered_metrics(rows)

    def decisions(self) -> Decisions:
        """Return each label that is likelier than not."""
        if self.probabilities is None:
            return super().decisions()
        rows, places = np.nonzero(self.probabilities >= THRESHOLD)
        wrong = ~self.gold[rows, places]
        return Decisions(
            np.array(self.labels)[places], self.probabilities[rows, places], wrong, rows
        )

    def label_names(self) -> Sequence[str]:
        """Return the labels."""
        return self.labels

    @cached_property
    def _levels(self) -> Array | None:
        if self.probabilities is None:
            return None
        return np.stack([levels(column) for column in self.probabilities.T], axis=1)

    def tables(self) -> list[Table]:
        """Return the metrics of each label."""
        scores = multi_label_scores(self.gold, self.predicted)
        named = zip(self.labels, scores.labels, strict=True)
        return [
            Table(
                "labels",
                "by label",
                [precision_recall_record({"label": label}, one) for label, one in named],
            )
        ]

    def search(self) -> dict[str, float]:
        """Return the threshold, one for all labels, with the best micro-F1."""
        if self.probabilities is None:
            raise UsageError("`threshold_search` needs the probabilities of all labels")
        threshold, f1 = best_f1_threshold(self.gold.ravel(), self.probabilities.ravel())
        return {"best_threshold": threshold, "best_micro_f1": f1}

    def temperature(self) -> float:
        """Return the temperature at which the probabilities are calibrated."""
        if self.probabilities is None:
            raise UsageError("`calibrate` needs the probabilities of all labels")
        return fit_sigmoid_temperature(self.probabilities, self.gold)

    def worst(self) -> Array:
        """Return the rows without exactly their labels, the most confident mistake first."""
        wrong = np.flatnonzero((self.gold != self.predicted).any(axis=1))
        return wrong[np.argsort(-self._distances[wrong], kind="stable")]

    @cached_property
    def _distances(self) -> Array:
        """The largest error of a probability in each row."""
        given = self.predicted if self.probabilities is None else self.probabilities
        distances: Array = np.abs(given.astype(float) - self.gold).max(axis=1)
        return distances

    def error_row(self, row: int) -> tuple[object, ...]:
        """See `Results`; the score is the largest error of a probability."""
        predicted = [self.labels[index] for index in np.flatnonzero(self.predicted[row])]
        gold = [self.labels[index] for index in np.flatnonzero(self.gold[row])]
        return predicted, gold, float(self._distances[row])


def indicators(labels: Sequence[str], names: Sequence[Sequence[str]]) -> Array:
    """Return which of `labels` each row has, given their names; booleans (rows, labels)."""
    index = {label: position for position, label in enumerate(labels)}
    found = np.zeros((len(names), len(labels)), dtype=bool)
    for row, chosen in enumerate(names):
        found[row, [index[name] for name in chosen]] = True
    return found


def _labels(
    gold: Sequence[LabelCell], labels: Sequence[str], source: str, options: EvaluationOptions
) -> list[list[str] | InputError]:
    """Return the gold labels of rows, or the error of a row with one that is none of `labels`."""
    columns = options.columns
    found = label_lists(
        gold, separator=columns.label_separator, names=columns.labels, source=source
    )

    def known(cell: LabelCell, of_row: Sequence[str]) -> list[str] | InputError:
        try:
            return [
                cells.checked_label(cell.place, name, labels, options.label_map) for name in of_row
            ]
        except InputError as error:
            return error

    return [known(*both) for both in zip(gold, found, strict=True)]
