"""Question-answering results: an answer to each question, against the gold answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from distilcli.errors import InputError, UsageError
from distilcli.evaluation.evaluation import Comparison, Evaluation, EvaluationOptions, of_predictor
from distilcli.evaluation.prediction_columns import PredictedColumns, Prediction
from distilcli.evaluation.results.base import EVERY, Results, Rows, Table, column_of
from distilcli.gold import cells
from distilcli.gold.columns import gold_column, pair_column, text_column
from distilcli.predictors.answerer import Answerer
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_text, cell_value
from distilcli.scores.answers import answer_scores, best_no_answer_threshold
from distilcli.scores.bootstrap import Interval, mean_interval
from distilcli.scores.precision_recall import Array
from distilcli.tasks.qa import Answers
from distilcli.tasks.questions import pairs_from
from distilcli.tasks.spec import TASKS


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
        answerer = Answerer(model, **options.predictor)
        pairs = pairs_from(question_column=question, context_column=context)
        return of_predictor(
            "qa", answerer, source, answerer.engine(pairs, on_error=options.on_error),
            gold_of=cells.answers_of(column),
            measure=partial(cls.of, threshold=options.threshold),
            text_columns=[question, context],
        )  # fmt: skip

    @classmethod
    def comparison(cls, source: RowSource, column: str, options: EvaluationOptions) -> Comparison:
        return cells.answers_of(column), partial(cls.of_predictions, threshold=options.threshold)

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

    def __len__(self) -> int:
        return len(self.golds)

    @cached_property
    def _given(self) -> list[str]:
        if self.threshold is None:
            return list(self.answers)
        if self.no_answers is None:
            raise UsageError("`threshold` needs the column no_answer_score")
        pairs = zip(self.answers, self.no_answers > self.threshold, strict=True)
        return ["" if none else answer for answer, none in pairs]

    @cached_property
    def _values(self) -> dict[str, Array]:
        """The metrics of each question."""
        scores = answer_scores(self.golds, self._given)
        return {"exact_match": np.array(scores.exact_matches), "f1": np.array(scores.f1s)}

    @cached_property
    def _has_answer(self) -> Array:
        return np.array([bool(golds) for golds in self.golds], dtype=bool)

    def metrics(self, rows: Rows = EVERY) -> dict[str, float]:
        """See `Results`; shares from 0 to 1, where the official script gives percents."""
        return {name: _mean(values[rows]) for name, values in self._values.items()}

    def intervals(self, *, confidence: float, seed: int = 0) -> dict[str, Interval]:
        """See `Results`; the means of all draws are computed at once."""
        return {
            name: mean_interval(values, confidence=confidence, seed=seed)
            for name, values in self._values.items()
        }

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
            raise UsageError("`threshold_search` needs the column no_answer_score")
        f1 = np.array(answer_scores(self.golds, self.answers).f1s)
        # An answer that is empty anyway earns the same, given or not.
        threshold, best = best_no_answer_threshold(self.no_answers, f1, self._has_answer)
        return {"best_threshold": threshold, "best_f1": best}

    def worst(self) -> Array:
        """Return the questions not fully answered: lowest F1 first, then the most confident."""
        f1 = self._values["f1"]
        sure = np.zeros(len(self)) if self.confidences is None else self.confidences
        order = np.lexsort((-sure, f1))
        return order[f1[order] < 1]

    def error_row(self, row: int) -> tuple[object, ...]:
        score = None if self.confidences is None else float(self.confidences[row])
        return self._given[row], list(self.golds[row]), score


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else 0.0
