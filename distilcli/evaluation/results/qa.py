"""Question-answering results: an answer to each question, against the gold answers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from distilcli.errors import InputError, UsageError, tell
from distilcli.evaluation.evaluation import Comparison, Evaluation, EvaluationOptions, of_predictor
from distilcli.evaluation.prediction_columns import PredictedColumns, Prediction
from distilcli.evaluation.results.base import EVERY, Results, Rows, Table, column_of
from distilcli.gold import cells
from distilcli.gold.columns import gold_column, pair_column, text_column
from distilcli.predictors.answerer import Answerer
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_text, cell_value
from distilcli.scores.answers import answer_scores, best_no_answer_threshold
from distilcli.scores.precision_recall import Array
from distilcli.tasks.qa import Answers
from distilcli.tasks.questions import pairs_from
from distilcli.tasks.spec import TASKS

_SHORT = {"exact": "exact_match", "f1": "f1"}
"""The names of metrics in the official script, and here."""

_NO_ANSWER = "the column no_answer_score, which `distil qa` writes and answers by ids do not have"


@dataclass(frozen=True)
class QaResults(Results):
    """`golds` and an answer for each question; a question without golds has no answer.

    `confidences` (N,) are the probabilities of the answers, `no_answers` (N,) those of no answer,
    if known. An answer whose `no_answers` is above `threshold` is not given.
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
        """Compare what an answerer returned: the best answer to each question."""
        return cls(
            golds,
            [value.answer for value in values],
            np.array([value.score for value in values], dtype=float),
            np.array([value.no_answer_score for value in values], dtype=float),
            threshold,
        )

    @classmethod
    def of_model(cls, model: str, source: RowSource, options: EvaluationOptions) -> Evaluation:
        spec, columns = TASKS["qa"], options.columns
        question = text_column(source, spec, columns)
        context = pair_column(source, spec, columns) or ""
        column = gold_column(source, spec, columns, taken=[question, context])
        # The best threshold is found among all spans, also those that the model would not give.
        answerer = Answerer(model, no_answer_threshold=1, **options.predictor)
        threshold = options.threshold
        if threshold is None:
            threshold = answerer.config.no_answer_threshold
        pairs = pairs_from(question_column=question, context_column=context)
        return of_predictor(
            "qa", answerer, source, answerer.engine(pairs, on_error=options.on_error),
            gold_of=cells.answers_of(column),
            measure=lambda gold, values: cls.of(gold, values, threshold=threshold).checked(
                source.name
            ),
            text_columns=[question, context],
        )  # fmt: skip

    @classmethod
    def comparison(cls, source: RowSource, column: str, options: EvaluationOptions) -> Comparison:
        return cells.answers_of(column), lambda gold, predictions: cls.of_predictions(
            gold, predictions, threshold=options.threshold
        ).checked(source.name)

    @classmethod
    def read_prediction(cls, columns: PredictedColumns, row: Row) -> Prediction:
        if row.error is not None:
            raise InputError(row.error)
        value = cell_value(row, columns.first)
        return Prediction(
            "" if value is None else cell_text(row, columns.first),
            columns.number(row, "score"),
            no_answer=columns.number(row, "no_answer_score"),
        )

    @classmethod
    def of_predictions(
        cls, gold: list[list[str]], predictions: list[Prediction], *, threshold: float | None
    ) -> "QaResults":
        """Compare predicted answers with gold ones."""
        return cls(
            gold,
            [prediction.value for prediction in predictions],
            column_of([prediction.score for prediction in predictions]),
            column_of([prediction.no_answer for prediction in predictions]),
            threshold,
        )

    def checked(self, source: str) -> "QaResults":
        """Return the same; say so if questions without an answer were all given one."""
        count = int((~self._has_answer).sum())
        if count and self.threshold is None and all(self.answers):
            if self.no_answers is None:
                way_out = f"no threshold can change that without {_NO_ANSWER}"
            else:
                best = self._best_of(EVERY)["best_f1_thresh"]
                way_out = f"set `threshold` (best for F1 on these rows: {best:.4g})"
            tell(
                f"{source}: {count:,} of {len(self):,} questions have no answer and were given "
                f"one; {way_out}"
            )
        return self

    def __len__(self) -> int:
        return len(self.golds)

    @cached_property
    def _withheld(self) -> Array:
        """Which answers are not given, because "no answer" is above the threshold."""
        if self.threshold is None:
            return np.zeros(len(self), dtype=bool)
        if self.no_answers is None:
            raise UsageError(f"`threshold` needs {_NO_ANSWER}")
        withheld: Array = self.no_answers > self.threshold
        return withheld

    @cached_property
    def _values(self) -> dict[str, Array]:
        """The metrics of each question."""
        scores = answer_scores(self.golds, self.answers)
        found = {"exact_match": scores.exact_matches, "f1": scores.f1s}
        return {
            name: np.where(self._withheld, ~self._has_answer, np.array(values))
            for name, values in found.items()
        }

    @cached_property
    def _has_answer(self) -> Array:
        return np.array([bool(golds) for golds in self.golds], dtype=bool)

    def metrics(self, rows: Rows = EVERY) -> dict[str, float]:
        """See `Results`; those of the official script of SQuAD 2.0, from 0 to 1.

        The parts, HasAns and NoAns, and the best thresholds are there if some questions have no
        answer.
        """
        found = {name: _mean(values[rows]) for name, values in self._values.items()}
        if self._has_answer.all():
            return found
        has_answer = self._has_answer[rows]
        for part, mask in (("HasAns", has_answer), ("NoAns", ~has_answer)):
            for short, name in _SHORT.items():
                values = self._values[name][rows][mask]
                found[f"{part}_{short}"] = _mean(values) if len(values) else math.nan
        return found | self._best_of(rows)

    @cached_property
    def _earned(self) -> dict[str, Array]:
        """What each question earns by its answer, and, without an answer, loses by having one."""
        scores = answer_scores(self.golds, self.answers)
        given = np.array([bool(answer) for answer in self.answers], dtype=bool)
        return {
            name: np.where(self._has_answer, np.array(values), 1.0 - given)
            for name, values in (("exact", scores.exact_matches), ("f1", scores.f1s))
        }

    def _best_of(self, rows: Rows) -> dict[str, float]:
        """Return the best mean of each metric, with the threshold of "no answer" that gives it."""
        if self.no_answers is None:
            return {}
        found: dict[str, float] = {}
        for name, earned in self._earned.items():
            threshold, best = best_no_answer_threshold(
                self.no_answers[rows], earned[rows], self._has_answer[rows]
            )
            found |= {f"best_{name}": best, f"best_{name}_thresh": threshold}
        return found

    def tables(self) -> list[Table]:
        """Return the metrics of questions with and without an answer, if there are both."""
        parts = (("with an answer", self._has_answer), ("without", ~self._has_answer))
        if not all(rows.any() for _, rows in parts):
            return []
        records = [
            {"questions": name, **self.metrics(np.flatnonzero(rows)), "rows": int(rows.sum())}
            for name, rows in parts
        ]
        return [Table("questions", "by whether there is an answer", records)]

    def search(self) -> dict[str, float]:
        """Return the best threshold of "no answer" for F1, as the official script finds it."""
        if self.no_answers is None:
            raise UsageError(f"`threshold_search` needs {_NO_ANSWER}")
        best = self._best_of(EVERY)
        return {"best_threshold": best["best_f1_thresh"], "best_f1": best["best_f1"]}

    def details(self) -> dict[str, object]:
        """Return how many questions have an answer, and how many have none."""
        has = int(self._has_answer.sum())
        return {"HasAns_total": has, "NoAns_total": len(self) - has}

    def worst(self) -> Array:
        """Return the questions not fully answered: lowest F1 first, then the most confident."""
        f1 = self._values["f1"]
        sure = np.zeros(len(self)) if self.confidences is None else self.confidences
        order = np.lexsort((-sure, f1))
        return order[f1[order] < 1]

    def error_row(self, row: int) -> tuple[object, ...]:
        score = None if self.confidences is None else float(self.confidences[row])
        given = "" if self._withheld[row] else self.answers[row]
        return given, list(self.golds[row]), score


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else 0.0
