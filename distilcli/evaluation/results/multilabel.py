"""Any number of labels for each row, as they were expected and as they were given."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from distilcli.errors import UsageError
from distilcli.evaluation.results.base import EVERY, Results, Rows, Table, shares
from distilcli.scores.calibration import (
    expected_calibration_error,
    fit_sigmoid_temperature,
    reliability,
)
from distilcli.scores.classification import levels, macro_roc_auc, multi_label_scores
from distilcli.scores.precision_recall import Array
from distilcli.scores.thresholds import best_f1_threshold
from distilcli.tasks.classify import Classification

THRESHOLD = 0.5


@dataclass(frozen=True)
class MultilabelResults(Results):
    """Which of `labels` rows have: `expected` and `predicted`, booleans (N, labels).

    `probabilities` (N, labels) are those that each label applies; None where they are not known.
    """

    labels: tuple[str, ...]
    expected: Array
    predicted: Array
    probabilities: Array | None = None

    @classmethod
    def of(
        cls,
        labels: Sequence[str],
        expected: Sequence[Sequence[str]],
        values: Sequence[Classification],
        *,
        threshold: float = THRESHOLD,
    ) -> "MultilabelResults":
        """Take what a classifier of these labels gave, against the names of each row's labels."""
        probabilities = np.array([value.scores for value in values]).reshape(-1, len(labels))
        wanted = indicators(labels, expected)
        return cls(tuple(labels), wanted, probabilities >= threshold, probabilities)

    def __len__(self) -> int:
        return len(self.expected)

    def figures(self, rows: Rows = EVERY) -> dict[str, float]:
        """See `Results`; accuracy counts rows with exactly their labels, precision decisions."""
        scores = multi_label_scores(self.expected[rows], self.predicted[rows])
        found = {
            "accuracy": scores.accuracy,
            "precision": scores.micro.precision,
            "recall": scores.micro.recall,
            "micro_f1": scores.micro.f1,
            "macro_f1": scores.macro.f1,
        }
        if self.probabilities is not None and self._levels is not None:
            found["auc"] = macro_roc_auc(self.expected[rows], self._levels[rows])
            bins = reliability(self.probabilities[rows].ravel(), self.expected[rows].ravel())
            found["ece"] = expected_calibration_error(bins)
        return found

    @cached_property
    def _levels(self) -> Array | None:
        if self.probabilities is None:
            return None
        return np.stack([levels(column) for column in self.probabilities.T], axis=1)

    def tables(self) -> list[Table]:
        """Return the figures of each label."""
        scores = multi_label_scores(self.expected, self.predicted)
        named = zip(self.labels, scores.labels, strict=True)
        return [
            Table("labels", "by label", [shares({"label": label}, one) for label, one in named])
        ]

    def search(self) -> dict[str, float]:
        """Return the threshold, one for all labels, that is best for micro-F1."""
        if self.probabilities is None:
            raise UsageError("--threshold-search needs the probabilities of all labels")
        threshold, f1 = best_f1_threshold(self.expected.ravel(), self.probabilities.ravel())
        return {"best_threshold": threshold, "best_micro_f1": f1}

    def temperature(self) -> float:
        """Return the temperature that would make the probabilities believable."""
        if self.probabilities is None:
            raise UsageError("--calibrate needs the probabilities of all labels")
        return fit_sigmoid_temperature(self.probabilities, self.expected)

    def worst(self) -> Array:
        """Return the rows without exactly their labels, the surest of a wrong decision first."""
        wrong = np.flatnonzero((self.expected != self.predicted).any(axis=1))
        return wrong[np.argsort(-self._distances[wrong], kind="stable")]

    @cached_property
    def _distances(self) -> Array:
        """How far the farthest probability of each row is from what it should be."""
        given = self.predicted if self.probabilities is None else self.probabilities
        distances: Array = np.abs(given.astype(float) - self.expected).max(axis=1)
        return distances

    def fault(self, row: int) -> tuple[object, ...]:
        """See `Results`; the score is how far the worst probability is off."""
        predicted = [self.labels[index] for index in np.flatnonzero(self.predicted[row])]
        expected = [self.labels[index] for index in np.flatnonzero(self.expected[row])]
        return predicted, expected, float(self._distances[row])


def indicators(labels: Sequence[str], names: Sequence[Sequence[str]]) -> Array:
    """Return which of `labels` each row's names are, booleans (rows, labels)."""
    number = {label: index for index, label in enumerate(labels)}
    found = np.zeros((len(names), len(labels)), dtype=bool)
    for row, chosen in enumerate(names):
        found[row, [number[name] for name in chosen]] = True
    return found
