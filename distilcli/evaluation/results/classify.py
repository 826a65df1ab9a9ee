"""Classification results: one label per row, gold and predicted."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from distilcli.checkpoint.abstention import Abstention
from distilcli.errors import InputError, UsageError, tell
from distilcli.evaluation.evaluation import (
    Comparison,
    Evaluation,
    EvaluationOptions,
    Measure,
    Resolve,
    of_predictor,
)
from distilcli.evaluation.prediction_columns import PredictedColumns, Prediction
from distilcli.evaluation.results.base import (
    EVERY,
    Record,
    Results,
    Rows,
    Table,
    column_of,
    precision_recall_record,
    probabilities_of,
    stacked,
)
from distilcli.gold import cells
from distilcli.gold.columns import gold_column, pair_column, text_column
from distilcli.gold.labels import equal_numbers
from distilcli.predictors.classifier import Classifier
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row
from distilcli.scores.abstention import Decisions
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
from distilcli.tasks.classify import KINDS, Classification, is_one_output
from distilcli.tasks.files import texts_from
from distilcli.tasks.spec import TASKS

_MOST_SHOWN = 12
_BINARY = 2


@dataclass(frozen=True)
class ClassifyResults(Results):
    """Indices into `labels`, `gold` and `predicted` (N,).

    `confidences` (N,) are the probabilities of the predictions, `probabilities` (N, labels) those
    of all labels; None if unknown. Of two labels the second is the positive one.
    """

    labels: tuple[str, ...]
    gold: Array
    predicted: Array
    confidences: Array | None = None
    probabilities: Array | None = None
    abstention: Abstention | None = None

    @classmethod
    def of(
        cls,
        labels: Sequence[str],
        gold: Sequence[str],
        values: Sequence[Classification],
        *,
        abstention: Abstention | None = None,
    ) -> "ClassifyResults":
        """Compare what a classifier of these labels returned with the names of the gold labels."""
        probabilities = np.array([value.scores for value in values]).reshape(-1, len(labels))
        return cls(
            tuple(labels),
            label_indices(labels, gold),
            probabilities.argmax(axis=1),
            probabilities.max(axis=1),
            probabilities,
            abstention,
        )

    @classmethod
    def of_model(cls, model: str, source: RowSource, options: EvaluationOptions) -> Evaluation:
        return classifier_evaluation(
            "classify", model, source, options,
            gold_of=partial(label_of, options=options),
            measure=lambda model: partial(cls.of, model.labels, abstention=model.abstention),
        )  # fmt: skip

    @classmethod
    def comparison(cls, source: RowSource, column: str, options: EvaluationOptions) -> Comparison:
        return label_of(column, None, options=options), partial(cls.of_predictions, source.name)

    @classmethod
    def read_prediction(cls, columns: PredictedColumns, row: Row) -> Prediction:
        if columns.abstained(row):
            return Prediction(None, abstained=True)
        label = cells.label_of(columns.first)(row)
        return Prediction(label, columns.number(row, "score"), columns.scores(row))

    @classmethod
    def of_predictions(
        cls, source: str, gold: list[str], predictions: list[Prediction]
    ) -> "ClassifyResults":
        """Compare labels by name; the labels are those that appear on either side."""
        names = [prediction.value for prediction in predictions]
        columns = probabilities_of(source, predictions, set(names), set(gold))
        labels = tuple(sorted({*columns, *names, *gold}))
        _check_shared(source, set(gold), {*columns, *names})
        for one, other in equal_numbers(labels):
            tell(
                f"{source}: the labels {one} and {other} are one number and two labels; join them "
                f"with `label_map` {other}={one}"
            )
        probabilities = stacked(columns, labels)
        predicted = label_indices(labels, names)
        confidences = column_of([prediction.score for prediction in predictions])
        if probabilities is None and len(labels) == _BINARY and confidences is not None:
            probabilities = np.where(
                predicted[:, None] == np.arange(_BINARY),
                confidences[:, None],
                1 - confidences[:, None],
            )
        return cls(labels, label_indices(labels, gold), predicted, confidences, probabilities)

    def __len__(self) -> int:
        return len(self.gold)

    def scores(self, rows: Rows = EVERY) -> ClassificationScores:
        """Return the scores of some rows, of each label too."""
        return classification_scores(
            self.gold[rows], self.predicted[rows], n_labels=len(self.labels)
        )

    def metrics(self, rows: Rows = EVERY) -> dict[str, float]:
        """See `Results`; precision and recall are means over the labels."""
        scores = self.scores(rows)
        found = {
            name: getattr(scores, name)
            for name in ("accuracy", "precision", "recall", "macro_f1", "micro_f1", "matthews")
        }
        if self._levels is not None:
            found["auc"] = self._auc(self._levels[rows], self.gold[rows])
        if self.confidences is not None:
            right = self.gold[rows] == self.predicted[rows]
            found["ece"] = expected_calibration_error(reliability(self.confidences[rows], right))
        return found | self.answered_metrics(rows)

    def decisions(self) -> Decisions:
        """Return the label of each row."""
        if self.confidences is None:
            return super().decisions()
        names = np.array(self.labels)[self.predicted]
        wrong = self.gold != self.predicted
        return Decisions(names, self.confidences, wrong, np.arange(len(self)))

    def label_names(self) -> Sequence[str]:
        """Return the labels."""
        return self.labels

    @cached_property
    def _levels(self) -> Array | None:
        """The probabilities as ranks: rows are drawn often, and sorted once."""
        if self.probabilities is None:
            return None
        return np.stack([levels(column) for column in self.probabilities.T], axis=1)

    def _auc(self, ranks: Array, gold: Array) -> float:
        if len(self.labels) == _BINARY:
            return auc_of_levels(gold == 1, ranks[:, 1])
        return macro_roc_auc(gold[:, None] == np.arange(len(self.labels)), ranks)

    def tables(self) -> list[Table]:
        """Return the metrics of each label, and the confusion matrix of a few labels."""
        scores = self.scores()
        rows = [
            precision_recall_record({"label": label}, of_label)
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
            bins = reliability(self.confidences, self.gold == self.predicted)
            found["reliability"] = [asdict(one) for one in bins]
        return found

    def search(self) -> dict[str, float]:
        """Return the threshold of the second label with the best F1."""
        if len(self.labels) != _BINARY or self.probabilities is None:
            raise UsageError(
                "`threshold_search` needs two labels with the probabilities of both, or "
                f"`task` multilabel; there are {len(self.labels)} labels"
            )
        threshold, f1 = best_f1_threshold(self.gold == 1, self.probabilities[:, 1])
        return {"best_threshold": threshold, "best_f1": f1}

    def temperature(self) -> float:
        """Return the temperature at which the probabilities are calibrated."""
        if self.probabilities is None:
            raise UsageError("`calibrate` needs the probabilities of all labels")
        return fit_temperature(self.probabilities, self.gold)

    def worst(self) -> Array:
        """Return the rows with a wrong label, the most confident first."""
        wrong = np.flatnonzero(self.gold != self.predicted)
        if self.confidences is None:
            return wrong
        return wrong[np.argsort(-self.confidences[wrong], kind="stable")]

    def error_row(self, row: int) -> tuple[object, ...]:
        score = None if self.confidences is None else float(self.confidences[row])
        return self.labels[self.predicted[row]], self.labels[self.gold[row]], score


def label_indices(labels: Sequence[str], names: Sequence[str]) -> Array:
    """Return the indices of labels, given their names."""
    index = {label: position for position, label in enumerate(labels)}
    return np.array([index[name] for name in names], dtype=int)


def label_of(
    column: str, labels: Sequence[str] | None, *, options: EvaluationOptions
) -> cells.Reader[str]:
    """Return the reader of a gold label, which is one of `labels` if they are known."""
    read, names = cells.label_from(column, options.columns), options.label_map
    return lambda row: cells.checked_label(cells.where(row, column), read(row), labels, names)


def classifier_evaluation(
    task: str,
    model: str,
    source: RowSource,
    options: EvaluationOptions,
    *,
    gold_of: Callable[[str, Sequence[str]], cells.Reader[Any]],
    measure: Callable[[Classifier], Measure],
    resolve: Callable[[Sequence[str]], Resolve] = lambda _: list,
) -> Evaluation:
    """Load a model with a classification head, to run over rows of one or two texts.

    `gold_of` and `resolve` are given the labels of the model, `measure` the model.
    """
    spec = TASKS[task]
    text = text_column(source, spec, options.columns)
    pair = pair_column(source, spec, options.columns)
    column = gold_column(source, spec, options.columns, taken=[text])
    classifier = Classifier(model, multi_label=task == "multilabel", **options.predictor)
    if task == "regress" and is_one_output(classifier.config):
        classifier.kind = "regression"
    if classifier.kind != KINDS[spec.problem_type]:
        raise UsageError(f"`task` {task}: the head of {classifier.name} is for another task")
    labels = classifier.labels
    for name in options.label_map.values():
        if name not in labels:
            raise UsageError(f"`label_map`: the model has no label {name!r} ({', '.join(labels)})")
    return of_predictor(
        task,
        classifier,
        source,
        classifier.engine(texts_from(text, pair), on_error=options.on_error),
        gold_of=gold_of(column, labels),
        measure=measure(classifier),
        resolve=resolve(labels),
        text_columns=[text] if pair is None else [text, pair],
    )


def _check_shared(source: str, gold: set[str], predicted: set[str]) -> None:
    """Raise `InputError` if no gold label is ever predicted: they have other names."""
    if gold & predicted:
        return
    one, other = (", ".join(sorted(names)[:5]) for names in (gold, predicted))
    raise InputError(
        f"{source}: none of the gold labels ({one}) is ever predicted ({other}); say which is "
        f"which with `label_map` {min(gold)}=LABEL"
    )
