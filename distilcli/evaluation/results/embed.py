"""Embedding results: cosines of pairs of texts against gold similarities."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from distilcli.errors import UsageError
from distilcli.evaluation.evaluation import (
    Evaluation,
    EvaluationOptions,
    of_predictor,
    run_engine,
)
from distilcli.evaluation.results.base import EVERY, Rows
from distilcli.evaluation.results.regress import RegressResults
from distilcli.gold import cells
from distilcli.gold.columns import gold_column, pair_column, text_column
from distilcli.predictors.embedder import Embedder
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row
from distilcli.scores.precision_recall import Array
from distilcli.scores.regression import pearson, ranks, spearman
from distilcli.stats import RunStats
from distilcli.tasks.files import text_from
from distilcli.tasks.spec import TASKS


@dataclass(frozen=True)
class EmbedResults(RegressResults):
    """Cosines as `predicted`, against gold numbers in any unit.

    Only their order and their proportions compare; the error of a row is the distance between its
    ranks, as a share of all rows.
    """

    @classmethod
    def of_model(cls, model: str, source: RowSource, options: EvaluationOptions) -> Evaluation:
        if options.on_error == "skip":
            raise UsageError("`on_error` skip: half of a pair cannot be left out; use stop")
        spec, columns = TASKS["embed"], options.columns
        first = text_column(source, spec, columns)
        second = pair_column(source, spec, columns) or ""
        column = gold_column(source, spec, columns, taken=[first, second])
        embedder = Embedder(model, **options.predictor)
        engine = embedder.engine(_text_of, on_error="stop")

        def values(stats: RunStats) -> Iterator[tuple[Row, float]]:
            texts = ((row, name) for row in source for name in (first, second))
            done = run_engine(engine, texts, stats)
            for ((row, _), one), (_, other) in zip(done, done, strict=True):
                yield row, cosine(one, other)

        return of_predictor(
            "embed", embedder, source, values,
            gold_of=cells.number_of(column), measure=cls.of, text_columns=[first, second],
        )  # fmt: skip

    def metrics(self, rows: Rows = EVERY) -> dict[str, float]:
        gold, predicted = self.gold[rows], self.predicted[rows]
        return {"pearson": pearson(gold, predicted), "spearman": spearman(gold, predicted)}

    @cached_property
    def _distances(self) -> Array:
        distances: Array = np.abs(ranks(self.predicted) - ranks(self.gold)) / len(self)
        return distances


def _text_of(item: tuple[Row, str]) -> str:
    row, column = item
    return text_from(column)(row)


def cosine(one: Array, other: Array) -> float:
    """Return the cosine of two vectors; 0 if one has no length."""
    one, other = one.astype(float), other.astype(float)
    lengths = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / lengths if lengths else 0.0
