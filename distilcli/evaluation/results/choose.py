"""Multiple-choice results: the option chosen in each row, against the right one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distilcli.evaluation.evaluation import Comparison, Evaluation, EvaluationOptions, of_predictor
from distilcli.evaluation.prediction_columns import PredictedColumns, Prediction
from distilcli.evaluation.results.base import EVERY, Results, Rows
from distilcli.gold import cells
from distilcli.gold.choices import Solution, right_choices
from distilcli.gold.columns import gold_column, text_column
from distilcli.predictors.chooser import Chooser
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_value
from distilcli.scores.calibration import expected_calibration_error, reliability
from distilcli.scores.precision_recall import Array
from distilcli.tasks.choose import Choice
from distilcli.tasks.problems import find_options, problems_from, texts_of_problem
from distilcli.tasks.spec import TASKS


@dataclass(frozen=True)
class ChooseResults(Results):
    """The chosen and the right option of each row as texts, and which rows are `right` (N,).

    `confidences` (N,) are the probabilities of the choices.
    """

    chosen: Sequence[str]
    gold: Sequence[str]
    right: Array
    confidences: Array

    @classmethod
    def of(cls, solutions: Sequence[Solution], values: Sequence[Choice]) -> "ChooseResults":
        """Compare what a chooser returned with the right options.

        Raises `InputError` if the rows do not all give them the same way.
        """
        gold = right_choices(solutions, {value.choice for value in values})
        pairs = list(zip(gold, values, strict=True))
        return cls(
            [value.choice for value in values],
            [str(right) for right in gold],
            np.array([right in (value.choice_index, value.choice) for right, value in pairs], bool),
            np.array([value.score for value in values], dtype=float),
        )

    @classmethod
    def of_model(cls, model: str, source: RowSource, options: EvaluationOptions) -> Evaluation:
        spec, columns = TASKS["choose"], options.columns
        prompt = text_column(source, spec, columns)
        taken, options_of = find_options(
            source,
            prompt,
            options_column=columns.options_column,
            option_columns=columns.option_columns,
        )
        column = gold_column(source, spec, columns, taken=[prompt, *taken])
        chooser = Chooser(model, **options.predictor)
        problem_of = problems_from(prompt, options_of)
        return of_predictor(
            "choose", chooser, source, chooser.engine(problem_of, on_error=options.on_error),
            gold_of=cells.choice_of(column, options_of),
            measure=cls.of,
            text_columns=[prompt],
            texts_of=lambda row: texts_of_problem(problem_of(row)),
        )  # fmt: skip

    @classmethod
    def comparison(cls, source: RowSource, column: str, options: EvaluationOptions) -> Comparison:
        """See `Results`; without the options in the rows, a text stands for itself."""
        columns, options_of = options.columns, None
        if columns.option_columns or columns.options_column or "options" in source.columns:
            _, options_of = find_options(
                source,
                "",
                options_column=columns.options_column,
                option_columns=columns.option_columns,
            )
        gold_of = cells.choice_of(column, options_of)
        return gold_of, lambda gold, found: cls.of(gold, [one.value for one in found])

    @classmethod
    def read_prediction(cls, columns: PredictedColumns, row: Row) -> Prediction:
        index = int(cells.number_of(columns.first)(row))
        score = columns.number(row, "score")
        scores = (0.0,) * index + (0.0 if score is None else score,)
        text = cell_value(row, columns.first.removesuffix("_index"))
        return Prediction(Choice(text if isinstance(text, str) else "", index, scores))

    def __len__(self) -> int:
        return len(self.right)

    def metrics(self, rows: Rows = EVERY) -> dict[str, float]:
        right = self.right[rows]
        return {
            "accuracy": float(right.mean()) if len(right) else 0.0,
            "ece": expected_calibration_error(reliability(self.confidences[rows], right)),
        }

    def worst(self) -> Array:
        """Return the rows with a wrong option, the most confident first."""
        wrong = np.flatnonzero(~self.right)
        return wrong[np.argsort(-self.confidences[wrong], kind="stable")]

    def error_row(self, row: int) -> tuple[object, ...]:
        return self.chosen[row], self.gold[row], float(self.confidences[row])
