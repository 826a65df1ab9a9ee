"""One label of several for each row, as it was expected and as it was given."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from distilcli.errors import UsageError
from distilcli.evaluation.results.base import EVERY, Record, Results, Rows, Table, shares
from distilcli.scores.calibration import expected_calibration_error, fit_temperature, reliability
from distilcli.scores.classification import (
    ClassificationScores,
    auc_of_levels,
    classification_scores,
    levels,
    macro_roc_auc,
)
from distilcli.scores.precision_recall import Array
from distilcli.scores.thresholds import best_f1_threshold
from distilcli.tasks.classify import Classification

_MOST_SHOWN = 12
_BINARY = 2


@dataclass(frozen=True)
class ClassifyResults(Results):
    """Labels by their numbers in `labels`, `expected` and `predicted` (N,).

    `confidences` (N,) are the probabilities of what was predicted, `probabilities` (N, labels)
    those of all; None where they are not known. Of two labels the second is the positive one.
    """

    labels: tuple[str, ...]
    expected: Array
    predicted: Array
    confidences: Array | None = None
    probabilities: Array | None = None

    @classmethod
    def of(
        cls, labels: Sequence[str], expected: Sequence[str], values: Sequence[Classification]
    ) -> "ClassifyResults":
        """Take what a classifier of these labels gave, against the names of the labels."""
        probabilities = np.array([value.scores for value in values]).reshape(-1, len(labels))
        return cls(
            tuple(labels),
            numbered(labels, expected),
            probabilities.argmax(axis=1),
            probabilities.max(axis=1),
            probabilities,
        )

    def __len__(self) -> int:
        return len(self.expected)

    def scores(self, rows: Rows = EVERY) -> ClassificationScores:
        """Return what the labels of some rows are worth, label by label too."""
        return classification_scores(
            self.expected[rows], self.predicted[rows], n_labels=len(self.labels)
        )

    def figures(self, rows: Rows = EVERY) -> dict[str, float]:
        """See `Results`; precision and recall are means over the labels."""
        scores = self.scores(rows)
        found = {
            name: getattr(scores, name)
            for name in ("accuracy", "precision", "recall", "macro_f1", "micro_f1", "matthews")
        }
        if self._levels is not None:
            found["auc"] = self._auc(self._levels[rows], self.expected[rows])
        if self.confidences is not None:
            right = self.expected[rows] == self.predicted[rows]
            found["ece"] = expected_calibration_error(reliability(self.confidences[rows], right))
        return found

    @cached_property
    def _levels(self) -> Array | None:
        """The probabilities as ranks: rows are drawn often, and sorted once."""
        if self.probabilities is None:
            return None
        return np.stack([levels(column) for column in self.probabilities.T], axis=1)

    def _auc(self, ranks: Array, expected: Array) -> float:
        if len(self.labels) == _BINARY:
            return auc_of_levels(expected == 1, ranks[:, 1])
        return macro_roc_auc(expected[:, None] == np.arange(len(self.labels)), ranks)

    def tables(self) -> list[Table]:
        """Return the figures of each label, and how labels were taken for others."""
        scores = self.scores()
        rows = [
            shares({"label": label}, of_label)
            for label, of_label in zip(self.labels, scores.labels, strict=True)
        ]
        found = [Table("labels", "by label", rows)]
        if len(self.labels) <= _MOST_SHOWN:
            title = "expected by predicted"
            found.append(Table("confusion", title, self._confusion(scores)))
        return found

    def _confusion(self, scores: ClassificationScores) -> list[Record]:
        return [
            {"expected": label, **dict(zip(self.labels, counts, strict=True))}
            for label, counts in zip(self.labels, scores.confusion, strict=True)
        ]

    def details(self) -> dict[str, object]:
        """Return the confusion matrix, in the order of the labels, and a reliability diagram."""
        counts = [list(row) for row in self.scores().confusion]
        found: dict[str, object] = {"confusion": counts}
        if self.confidences is not None:
            bins = reliability(self.confidences, self.expected == self.predicted)
            found["reliability"] = [asdict(one) for one in bins]
        return found

    def search(self) -> dict[str, float]:
        """Return the least probability of the second label that is best for its F1."""
        if len(self.labels) != _BINARY or self.probabilities is None:
            raise UsageError(
                "--threshold-search wants two labels with the probabilities of both, or "
                f"--task multilabel; there are {len(self.labels)} labels"
            )
        threshold, f1 = best_f1_threshold(self.expected == 1, self.probabilities[:, 1])
        return {"best_threshold": threshold, "best_f1": f1}

    def temperature(self) -> float:
        """Return the temperature that would make the probabilities believable."""
        if self.probabilities is None:
            raise UsageError("--calibrate needs the probabilities of all labels")
        return fit_temperature(self.probabilities, self.expected)

    def worst(self) -> Array:
        """Return the rows with another label than was expected, the surest first."""
        wrong = np.flatnonzero(self.expected != self.predicted)
        if self.confidences is None:
            return wrong
        return wrong[np.argsort(-self.confidences[wrong], kind="stable")]

    def fault(self, row: int) -> tuple[object, ...]:
        """See `Results`."""
        score = None if self.confidences is None else float(self.confidences[row])
        return self.labels[self.predicted[row]], self.labels[self.expected[row]], score


def numbered(labels: Sequence[str], names: Sequence[str]) -> Array:
    """Return the numbers of labels, given their names."""
    number = {label: index for index, label in enumerate(labels)}
    return np.array([number[name] for name in names], dtype=int)
