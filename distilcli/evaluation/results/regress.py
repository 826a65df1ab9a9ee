"""Regression results: a number per row, gold and predicted."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from distilcli.evaluation.evaluation import Comparison, Evaluation, EvaluationOptions
from distilcli.evaluation.prediction_columns import PredictedColumns, Prediction
from distilcli.evaluation.results.base import EVERY, Results, Rows
from distilcli.evaluation.results.classify import classifier_evaluation
from distilcli.gold import cells
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row
from distilcli.scores.precision_recall import Array
from distilcli.scores.regression import regression_scores


@dataclass(frozen=True)
class RegressResults(Results):
    """`gold` and `predicted` (N,), in one unit."""

    gold: Array
    predicted: Array

    @classmethod
    def of(cls, gold: Sequence[float], values: Sequence[float]) -> "RegressResults":
        """Compare predicted numbers with gold ones."""
        return cls(np.array(gold, dtype=float), np.array(values, dtype=float))

    @classmethod
    def of_model(cls, model: str, source: RowSource, options: EvaluationOptions) -> Evaluation:
        return classifier_evaluation(
            "regress", model, source, options,
            gold_of=lambda column, _: cells.number_of(column),
            measure=lambda _: lambda gold, values: cls.of(gold, [value.score for value in values]),
        )  # fmt: skip

    @classmethod
    def comparison(cls, source: RowSource, column: str, options: EvaluationOptions) -> Comparison:
        return cells.number_of(column), lambda gold, found: cls.of(
            gold, [one.value for one in found]
        )

    @classmethod
    def read_prediction(cls, columns: PredictedColumns, row: Row) -> Prediction:
        return Prediction(cells.number_of(columns.first)(row))

    def __len__(self) -> int:
        return len(self.gold)

    def metrics(self, rows: Rows = EVERY) -> dict[str, float]:
        return asdict(regression_scores(self.gold[rows], self.predicted[rows]))

    @cached_property
    def _distances(self) -> Array:
        distances: Array = np.abs(self.predicted - self.gold)
        return distances

    def worst(self) -> Array:
        """Return the rows with an error, the largest first."""
        order = np.argsort(-self._distances, kind="stable")
        return order[self._distances[order] > 0]

    def error_row(self, row: int) -> tuple[object, ...]:
        """See `Results`; the score is the error."""
        return (
            float(self.predicted[row]),
            float(self.gold[row]),
            float(self._distances[row]),
        )
