"""What the results of every task have: metrics, tables of parts, the rows that went wrong."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from distilcli.checkpoint.abstention import Abstention
from distilcli.errors import InputError, UsageError
from distilcli.evaluation.evaluation import Comparison, Evaluation, EvaluationOptions
from distilcli.evaluation.prediction_columns import PredictedColumns, Prediction
from distilcli.gold import cells
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row
from distilcli.scores.abstention import Decisions
from distilcli.scores.bootstrap import Interval, intervals
from distilcli.scores.precision_recall import Array, PrecisionRecall

Rows = Array | slice
"""Some rows, by their indices; an index may be repeated."""

EVERY = slice(None)

Record = dict[str, object]


@dataclass(frozen=True, slots=True)
class Table:
    """Metrics by parts, a record for each, all with the same keys; programs know it by `name`."""

    name: str
    title: str
    records: Sequence[Record]


class Results(ABC):
    """Rows with their gold labels and predictions; N counts them.

    `error_columns` are added to a row that went wrong. `abstention` are the thresholds of the
    model, which its other metrics are without; `decides_each_label` says that a row may have any
    of its labels.
    """

    error_columns: ClassVar[tuple[str, ...]] = ("predicted", "expected", "score")
    decides_each_label: ClassVar[bool] = False
    abstention: Abstention | None = None

    @classmethod
    def of_model(cls, model: str, source: RowSource, options: EvaluationOptions) -> Evaluation:
        """Load a model, to run over the rows of `source`."""
        raise UsageError("a model cannot be evaluated on this task; give a file of predictions")

    @classmethod
    @abstractmethod
    def comparison(cls, source: RowSource, column: str, options: EvaluationOptions) -> Comparison:
        """Return the reader of the gold column, and what compares its values with predictions.

        The latter is called with all gold values and what `read_prediction` returned, in two lists.
        """

    @classmethod
    def read_prediction(cls, columns: PredictedColumns, row: Row) -> Prediction:
        """Return what was predicted for a row of predictions: a label if not said otherwise."""
        return Prediction(cells.label_of(columns.first)(row))

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def metrics(self, rows: Rows = EVERY) -> dict[str, float]:
        """Return the metrics of some rows by name; NaN if undefined."""

    def intervals(self, *, confidence: float, seed: int = 0) -> dict[str, Interval]:
        """Return the confidence interval of each metric, from drawing rows again."""
        return intervals(self.metrics, len(self), confidence=confidence, seed=seed)

    def decisions(self) -> Decisions:
        """Return what was decided, each with its score; raise `UsageError` if nothing has one."""
        raise UsageError("`max_error` needs the scores of the labels")

    def label_names(self) -> Sequence[str]:
        """Return the labels that may be decided for."""
        return ()

    def with_abstention(self, abstention: Abstention | None) -> "Results":
        """Return the same of a model with these thresholds."""
        return replace(self, abstention=abstention)  # type: ignore[type-var]

    def answered_metrics(self, rows: Rows) -> dict[str, float]:
        """Return the share of decisions that reach the thresholds, and of them the wrong ones."""
        if self.abstention is None:
            return {}
        decided, answered, wrong = self._answered[rows].sum(axis=0).tolist()
        return {
            "coverage": answered / decided if decided else math.nan,
            "answered_error": wrong / answered if answered else math.nan,
        }

    @cached_property
    def _answered(self) -> Array:
        """The numbers of decisions, of answers and of wrong ones in each row (N, 3)."""
        made, known = self.decisions(), self.abstention
        assert known is not None  # noqa: S101
        names, places = np.unique(made.labels, return_inverse=True)
        least = np.array([known.threshold(str(name)) for name in names])
        given = made.scores >= least[places]
        columns = (np.ones(len(given)), given, given & made.wrong)
        return np.stack(
            [np.bincount(made.rows, weights=each, minlength=len(self)) for each in columns], axis=1
        )

    def tables(self) -> list[Table]:
        """Return the metrics of parts: labels, types, and the like."""
        return []

    def details(self) -> dict[str, object]:
        """Return what only a program reads: plain JSON values by name."""
        return {}

    def search(self) -> dict[str, float]:
        """Return the best threshold and its metric; raise `UsageError` if there is none."""
        raise UsageError("`threshold_search`: these rows have nothing to set a threshold on")

    def worst(self) -> Array:
        """Return the indices of the rows that went wrong, the worst first."""
        return np.array([], dtype=int)

    @abstractmethod
    def error_row(self, row: int) -> tuple[object, ...]:
        """Return what a row that went wrong gets in the `error_columns`."""


def precision_recall_record(first: Mapping[str, object], scores: PrecisionRecall) -> Record:
    """Return the record of one part, named by `first`."""
    return {
        **first,
        "precision": scores.precision,
        "recall": scores.recall,
        "f1": scores.f1,
        "support": scores.support,
    }


def probabilities_of(
    source: str, predictions: Sequence[Prediction], predicted: set[str], gold: set[str]
) -> dict[str, Array]:
    """Return the probabilities (N,) of each label; none if a predicted label has none.

    A column `score_NAME` of a label that nobody names may be something else, and is left out unless
    its values could be probabilities. Raises `InputError` if those of a label are not all numbers.
    """
    scores = [prediction.scores or {} for prediction in predictions]
    names = sorted({name for one in scores for name in one})
    found = {name: np.array([one.get(name, np.nan) for one in scores]) for name in names}
    used = predicted | gold
    for name in used & set(found):
        if np.isnan(found[name]).any():
            raise InputError(f"{source}: the scores of the label {name!r} are not all numbers")
    kept = {
        name: column
        for name, column in found.items()
        if name in used or ((column >= 0) & (column <= 1)).all()
    }
    return kept if predicted <= set(kept) else {}


def stacked(columns: Mapping[str, Array], labels: Sequence[str]) -> Array | None:
    """Return the probabilities (N, labels), None unless those of all labels are known."""
    if not labels or set(columns) != set(labels):
        return None
    return np.stack([columns[name] for name in labels], axis=1)


def column_of(numbers: Sequence[float | None]) -> Array | None:
    """Return numbers as an array, None if one is missing."""
    return None if None in numbers else np.array(numbers, dtype=float)
