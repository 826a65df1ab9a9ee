"""The option chosen in each row, against the right one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distilcli.evaluation.results.base import EVERY, Results, Rows
from distilcli.gold.choices import Solution, right_choices
from distilcli.scores.calibration import expected_calibration_error, reliability
from distilcli.scores.precision_recall import Array
from distilcli.tasks.choose import Choice


@dataclass(frozen=True)
class ChooseResults(Results):
    """The chosen and the right option of each row as texts, and which rows are `right` (N,).

    `confidences` (N,) are the probabilities of what was chosen.
    """

    chosen: Sequence[str]
    expected: Sequence[str]
    right: Array
    confidences: Array

    @classmethod
    def of(cls, solutions: Sequence[Solution], values: Sequence[Choice]) -> "ChooseResults":
        """Take what a chooser gave, against what rows say of the right options.

        Raises `InputError` where they do not all say it in one way.
        """
        expected = right_choices(solutions, {value.choice for value in values})
        pairs = list(zip(expected, values, strict=True))
        return cls(
            [value.choice for value in values],
            [str(gold) for gold in expected],
            np.array([gold in (value.choice_index, value.choice) for gold, value in pairs], bool),
            np.array([value.score for value in values], dtype=float),
        )

    def __len__(self) -> int:
        return len(self.right)

    def figures(self, rows: Rows = EVERY) -> dict[str, float]:
        """See `Results`."""
        right = self.right[rows]
        return {
            "accuracy": float(right.mean()) if len(right) else 0.0,
            "ece": expected_calibration_error(reliability(self.confidences[rows], right)),
        }

    def worst(self) -> Array:
        """Return the rows with a wrong option, the surest first."""
        wrong = np.flatnonzero(~self.right)
        return wrong[np.argsort(-self.confidences[wrong], kind="stable")]

    def fault(self, row: int) -> tuple[object, ...]:
        """See `Results`."""
        return self.chosen[row], self.expected[row], float(self.confidences[row])
