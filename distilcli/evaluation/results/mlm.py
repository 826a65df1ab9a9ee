"""Masked-LM results: the pseudo-perplexity of each text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from distilcli.evaluation.evaluation import Comparison, Evaluation, EvaluationOptions, of_predictor
from distilcli.evaluation.prediction_columns import PredictedColumns, Prediction
from distilcli.evaluation.results.base import EVERY, Results, Rows
from distilcli.gold import cells
from distilcli.gold.columns import text_column
from distilcli.predictors.mask_filler import MaskFiller
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row
from distilcli.scores.precision_recall import Array
from distilcli.tasks.files import text_from
from distilcli.tasks.perplexity import PseudoPerplexity
from distilcli.tasks.spec import TASKS


@dataclass(frozen=True)
class MlmResults(Results):
    """`perplexities` (N,) of texts of `n_tokens` (N,) tokens."""

    perplexities: Array
    n_tokens: Array
    error_columns: ClassVar[tuple[str, ...]] = ("pseudo_perplexity", "n_tokens")

    @classmethod
    def of(cls, values: Sequence[PseudoPerplexity]) -> "MlmResults":
        """Take what a masked language model returned; there are no gold labels."""
        return cls(
            np.array([value.pseudo_perplexity for value in values], dtype=float),
            np.array([value.n_tokens for value in values], dtype=float),
        )

    @classmethod
    def of_model(cls, model: str, source: RowSource, options: EvaluationOptions) -> Evaluation:
        text = text_column(source, TASKS["mlm"], options.columns)
        filler = MaskFiller(model, **options.predictor)
        engine = filler.perplexity_engine(text_from(text), on_error=options.on_error)
        return of_predictor(
            "mlm", filler, source, engine,
            gold_of=cells.nothing, measure=lambda _, values: cls.of(values), text_columns=[text],
        )  # fmt: skip

    @classmethod
    def comparison(cls, source: RowSource, column: str, options: EvaluationOptions) -> Comparison:
        return cells.nothing, lambda _, found: cls.of([one.value for one in found])

    @classmethod
    def read_prediction(cls, columns: PredictedColumns, row: Row) -> Prediction:
        count = columns.number(row, "n_tokens")
        perplexity = cells.number_of(columns.first)(row)
        return Prediction(PseudoPerplexity(perplexity, 1 if count is None else int(count)))

    def __len__(self) -> int:
        return len(self.perplexities)

    def metrics(self, rows: Rows = EVERY) -> dict[str, float]:
        """Return the pseudo-perplexity of all tokens together: exp of their mean surprisal.

        That is the PPPL of a corpus in Salazar et al. 2020, "Masked Language Model Scoring".
        """
        counts = self.n_tokens[rows]
        surprisal = counts @ np.log(self.perplexities[rows]) / counts.sum()
        return {"perplexity": float(np.exp(surprisal))}

    def worst(self) -> Array:
        """Return all rows, the highest perplexity first."""
        return np.argsort(-self.perplexities, kind="stable")

    def error_row(self, row: int) -> tuple[object, ...]:
        return float(self.perplexities[row]), int(self.n_tokens[row])
