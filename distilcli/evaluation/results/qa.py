"""An answer to each question, against the answers that are right."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from distilcli.errors import UsageError
from distilcli.evaluation.results.base import EVERY, Results, Rows, Table
from distilcli.scores.answers import answer_scores, best_no_answer_threshold
from distilcli.scores.bootstrap import Interval, mean_interval
from distilcli.scores.precision_recall import Array
from distilcli.tasks.qa import Answers


@dataclass(frozen=True)
class QaResults(Results):
    """`golds` and an answer for each question; without golds there is no answer.

    `confidences` (N,) are the probabilities of the answers, `no_answers` (N,) those that there is
    none, where they are known. An answer whose `no_answers` is above `threshold` is not given.
    """

    golds: Sequence[Sequence[str]]
    answers: Sequence[str]
    confidences: Array | None = None
    no_answers: Array | None = None
    threshold: float | None = None

    @classmethod
    def of(
        cls,
        golds: Sequence[Sequence[str]],
        values: Sequence[Answers],
        *,
        threshold: float | None = None,
    ) -> "QaResults":
        """Take what an answerer gave; its answers are those that it gives where it must."""
        return cls(
            golds,
            [value.answer for value in values],
            np.array([value.score for value in values], dtype=float),
            np.array([value.no_answer_score for value in values], dtype=float),
            threshold,
        )

    def __len__(self) -> int:
        return len(self.golds)

    @cached_property
    def _given(self) -> list[str]:
        if self.threshold is None:
            return list(self.answers)
        if self.no_answers is None:
            raise UsageError("--threshold needs the column no_answer_score")
        pairs = zip(self.answers, self.no_answers > self.threshold, strict=True)
        return ["" if none else answer for answer, none in pairs]

    @cached_property
    def _values(self) -> dict[str, Array]:
        """The figures of each question."""
        scores = answer_scores(self.golds, self._given)
        return {"exact_match": np.array(scores.exact_matches), "f1": np.array(scores.f1s)}

    @cached_property
    def _has_answer(self) -> Array:
        return np.array([bool(golds) for golds in self.golds], dtype=bool)

    def figures(self, rows: Rows = EVERY) -> dict[str, float]:
        """See `Results`; shares from 0 to 1, where the official script gives percents."""
        return {name: _mean(values[rows]) for name, values in self._values.items()}

    def intervals(self, *, confidence: float, seed: int = 0) -> dict[str, Interval]:
        """See `Results`; means need no drawing one by one."""
        return {
            name: mean_interval(values, confidence=confidence, seed=seed)
            for name, values in self._values.items()
        }

    def tables(self) -> list[Table]:
        """Return the figures of questions with and without an answer, where there are both."""
        parts = (("with an answer", self._has_answer), ("without", ~self._has_answer))
        if not all(rows.any() for _, rows in parts):
            return []
        records = [
            {"questions": name, **self.figures(np.flatnonzero(rows)), "rows": int(rows.sum())}
            for name, rows in parts
        ]
        return [Table("questions", "by whether there is an answer", records)]

    def search(self) -> dict[str, float]:
        """Return the best threshold of "no answer" for F1, as the official script finds it."""
        if self.no_answers is None:
            raise UsageError("--threshold-search needs the column no_answer_score")
        f1 = np.array(answer_scores(self.golds, self.answers).f1s)
        # An answer that is empty anyway earns the same, given or not.
        threshold, best = best_no_answer_threshold(self.no_answers, f1, self._has_answer)
        return {"best_threshold": threshold, "best_f1": best}

    def worst(self) -> Array:
        """Return the questions that were not answered in full: F1 rising, the surest first."""
        f1 = self._values["f1"]
        sure = np.zeros(len(self)) if self.confidences is None else self.confidences
        order = np.lexsort((-sure, f1))
        return order[f1[order] < 1]

    def fault(self, row: int) -> tuple[object, ...]:
        """See `Results`."""
        score = None if self.confidences is None else float(self.confidences[row])
        return self._given[row], list(self.golds[row]), score


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else 0.0
