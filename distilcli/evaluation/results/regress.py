"""A number for each row, as it was expected and as it was given."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from distilcli.evaluation.results.base import EVERY, Results, Rows
from distilcli.scores.precision_recall import Array
from distilcli.scores.regression import pearson, ranks, regression_scores, spearman


@dataclass(frozen=True)
class RegressResults(Results):
    """`expected` and `predicted` (N,), of one unit."""

    expected: Array
    predicted: Array

    @classmethod
    def of(cls, expected: Sequence[float], values: Sequence[float]) -> "RegressResults":
        """Take numbers as they came."""
        return cls(np.array(expected, dtype=float), np.array(values, dtype=float))

    def __len__(self) -> int:
        return len(self.expected)

    def figures(self, rows: Rows = EVERY) -> dict[str, float]:
        """See `Results`."""
        return asdict(regression_scores(self.expected[rows], self.predicted[rows]))

    @cached_property
    def _distances(self) -> Array:
        distances: Array = np.abs(self.predicted - self.expected)
        return distances

    def worst(self) -> Array:
        """Return the rows that are off, the farthest first."""
        order = np.argsort(-self._distances, kind="stable")
        return order[self._distances[order] > 0]

    def fault(self, row: int) -> tuple[object, ...]:
        """See `Results`; the score is how far it is off."""
        return (
            float(self.predicted[row]),
            float(self.expected[row]),
            float(self._distances[row]),
        )


@dataclass(frozen=True)
class EmbedResults(RegressResults):
    """Cosines of pairs of texts as `predicted`, against numbers of any unit.

    Only their order and their proportions compare; how far a row is off is how far its rank is,
    as a share of all rows.
    """

    def figures(self, rows: Rows = EVERY) -> dict[str, float]:
        """See `Results`."""
        expected, predicted = self.expected[rows], self.predicted[rows]
        return {"pearson": pearson(expected, predicted), "spearman": spearman(expected, predicted)}

    @cached_property
    def _distances(self) -> Array:
        distances: Array = np.abs(ranks(self.predicted) - ranks(self.expected)) / len(self)
        return distances
