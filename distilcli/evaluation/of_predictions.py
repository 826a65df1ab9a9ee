"""Predictions against what was expected: in the same rows, or in the rows of another file.

Two files go together by the column `id` where both have one, else row by row.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from distilcli.errors import InputError, UsageError
from distilcli.evaluation.prediction_columns import (
    Guess,
    LabelsGuess,
    PredictedColumns,
    read_answers,
)
from distilcli.evaluation.results.base import Results
from distilcli.evaluation.results.choose import ChooseResults
from distilcli.evaluation.results.classify import ClassifyResults, numbered
from distilcli.evaluation.results.mlm import MlmResults
from distilcli.evaluation.results.multilabel import MultilabelResults, indicators
from distilcli.evaluation.results.qa import QaResults
from distilcli.evaluation.results.regress import EmbedResults, RegressResults
from distilcli.evaluation.results.tag import TagResults
from distilcli.evaluation.run import Evaluation, EvaluationOptions
from distilcli.evaluation.tasks import Task
from distilcli.gold import cells as gold
from distilcli.gold.columns import (
    ANSWER_COLUMNS,
    CHOICE_COLUMNS,
    LABEL_COLUMNS,
    NUMBER_COLUMNS,
    SEVERAL_COLUMNS,
    TAG_COLUMNS,
)
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_text
from distilcli.scores.precision_recall import Array
from distilcli.stats import RunStats
from distilcli.tasks.choose import Options
from distilcli.tasks.problems import options_from_columns, options_from_list

ID = "id"
_BINARY = 2

Done = Iterator[tuple[Row, Any]]
Rows = Callable[[], Done]


@dataclass(frozen=True, slots=True)
class PredictionsSubject:
    """Predictions, `name`d for messages, against the rows of `data`.

    They are answers by ids, or columns of rows; those may hold what is expected themselves, where
    `data` is None.
    """

    name: str
    task: Task
    predictions: "PredictedColumns | dict[str, Guess]"
    data: RowSource | None

    def exam(self, options: EvaluationOptions) -> Evaluation:
        """Bring the two together; raises `InputError` for columns there are not."""
        source, taken = self.data, []
        if isinstance(self.predictions, PredictedColumns) and source is None:
            source, taken = self.predictions.source, self.predictions.all
        assert source is not None  # noqa: S101  answers by ids have data
        expected_of, measure = _comparison(self.task, source, taken, options)
        return Evaluation(
            task=self.task,
            name=self.name,
            described=f"predictions {self.name}",
            source=source,
            values=partial(_counted, self._rows(options)),
            expected_of=expected_of,
            measure=measure,
        )

    def _rows(self, options: EvaluationOptions) -> Rows:
        found, data, limited = self.predictions, self.data, options.limited
        if isinstance(found, PredictedColumns):
            if data is None:
                return _beside(found)
            if ID in found.source.columns and ID in data.columns:
                return _joined(self.name, found, data, limited=limited)
            return _in_order(self.name, found, data, limited=limited)
        assert data is not None  # noqa: S101
        return _by_id(self.name, found, data, limited=limited)


def open_predictions(
    name: str,
    rows: RowSource | None,
    data: RowSource | None,
    *,
    task: Task | None = None,
    prefix: str | None = None,
) -> PredictionsSubject:
    """Find out what `rows` predict; without rows, read the answers by ids that the file `name` has.

    `task` and `prefix` left out are found by the names of the columns. Raises `InputError` where
    they say nothing.
    """
    if rows is not None:
        columns = PredictedColumns(rows, prefix=prefix, task=task)
        return PredictionsSubject(name, columns.task, columns, data)
    if data is None:
        raise UsageError(f"{name}: answers by ids need the questions; name their file too")
    if task not in {None, "qa"}:
        raise UsageError(f"{name}: holds answers by ids, which are no predictions of {task}")
    return PredictionsSubject(name, "qa", read_answers(name), data)


def _counted(rows: Rows, stats: RunStats) -> Done:
    stats.start()
    for row in rows():
        stats.add_rows(1)
        yield row
    stats.finish()


def _beside(predictions: PredictedColumns) -> Rows:
    def values() -> Done:
        for row in predictions.source:
            yield row, predictions.value(row)

    return values


def _in_order(name: str, predictions: PredictedColumns, data: RowSource, *, limited: bool) -> Rows:
    def values() -> Done:
        ours, theirs, count = iter(predictions.source), iter(data), 0
        for row in theirs:
            prediction = next(ours, None)
            if prediction is None:
                raise _misfit(name, count, data.name, count + 1 + _count(theirs))
            count += 1
            yield row, predictions.value(prediction)
        if (further := _count(ours)) and not limited:
            raise _misfit(name, count + further, data.name, count)

    return values


def _count(rows: Iterator[Row]) -> int:
    return sum(1 for _ in rows)


def _misfit(name: str, count: int, data: str, other: int) -> InputError:
    return InputError(
        f"{name}: has {count:,} rows and {data} {other:,}; give the predictions of the same rows, "
        f"or both files a column {ID!r}"
    )


def _joined(name: str, predictions: PredictedColumns, data: RowSource, *, limited: bool) -> Rows:
    def values() -> Done:
        found: dict[str, Any] = {}
        for row in predictions.source:
            key = cell_text(row, ID)
            if key in found:
                raise InputError(f"{row.source}: line {row.line}: the id {key!r} comes again")
            found[key] = predictions.value(row)
        yield from _by_id(name, found, data, limited=limited)()

    return values


def _by_id(name: str, found: Mapping[str, Any], data: RowSource, *, limited: bool) -> Rows:
    def values() -> Done:
        seen = set()
        for row in data:
            key = cell_text(row, ID)
            if key not in found:
                raise InputError(
                    f"{name}: has no prediction for the id {key!r} "
                    f"({row.source}: line {row.line}); give the predictions of the same rows"
                )
            seen.add(key)
            yield row, found[key]
        left = [key for key in found if key not in seen]
        if left and not limited:
            raise InputError(
                f"{name}: {len(left):,} ids are not in {data.name}, the first: {left[0]!r}; "
                "give the predictions of the same rows"
            )

    return values


def _comparison(
    task: Task,
    source: RowSource,
    taken: Sequence[str],
    options: EvaluationOptions,
) -> tuple[Callable[[Row], Any], Callable[[list[Any], list[Any]], Results]]:
    """Return how what was expected is read, and how it is compared."""
    if task == "mlm":
        return gold.nothing, lambda _, values: MlmResults.of(values)
    column = _gold_column(task, source, taken, options)
    known: dict[str, Any] = {"labels": None, "names": options.names}
    options_of = _options_of(source, options) if task == "choose" else None
    readers: dict[Task, Callable[[Row], Any]] = {
        "classify": gold.label_of(column, **known),
        "multilabel": gold.labels_of(column, **known, separator=options.separator),
        "regress": gold.number_of(column),
        "embed": gold.number_of(column),
        "tag": gold.tags_of(column),
        "qa": gold.answers_of(column),
        "choose": gold.choice_of(column, options_of),
    }
    measures: dict[Task, Callable[[list[Any], list[Any]], Results]] = {
        "classify": partial(_labelled, source.name),
        "multilabel": partial(_several, source.name, threshold=options.threshold),
        "regress": RegressResults.of,
        "embed": EmbedResults.of,
        "tag": partial(_tagged, source.name),
        "qa": partial(_answered, threshold=options.threshold),
        "choose": ChooseResults.of,
    }
    return readers[task], measures[task]


def _gold_column(
    task: Task, source: RowSource, taken: Sequence[str], options: EvaluationOptions
) -> str:
    """Return the column with what is expected; `InputError` where one stands there for both."""
    try:
        return gold.gold_column(source, options.label_column, _GOLD_COLUMNS[task], taken=taken)
    except InputError:
        # Predictions mostly have more than one column: this may be what is expected.
        if options.label_column is not None or len(taken) != 1:
            raise
    raise InputError(
        f"{source.name}: has no predictions beside {taken[0]!r}; name a model "
        f"(distil evaluate MODEL {source.name}) or a file that distil has written "
        f"(columns: {', '.join(source.columns)})"
    )


def _options_of(source: RowSource, options: EvaluationOptions) -> Callable[[Row], Options] | None:
    """Return the function that takes the options from a row; None where rows do not hold them."""
    if options.option_columns:
        return options_from_columns([source.find_column(name) for name in options.option_columns])
    if options.options_column is not None:
        return options_from_list(source.find_column(options.options_column))
    return options_from_list("options") if "options" in source.columns else None


_GOLD_COLUMNS: dict[Task, tuple[str, ...]] = {
    "classify": LABEL_COLUMNS,
    "multilabel": SEVERAL_COLUMNS,
    "regress": NUMBER_COLUMNS,
    "embed": NUMBER_COLUMNS,
    "tag": TAG_COLUMNS,
    "qa": ANSWER_COLUMNS,
    "choose": CHOICE_COLUMNS,
}


def _labelled(source: str, expected: list[str], values: list[Guess]) -> ClassifyResults:
    """Compare labels by their names; the labels are those that turn up on either side."""
    given = {value.label for value in values}
    columns = _probabilities(source, [value.scores for value in values], given, set(expected))
    labels = tuple(sorted({*columns, *given, *expected}))
    _check_shared(source, set(expected), {*columns, *given})
    wanted = numbered(labels, expected)
    predicted = numbered(labels, [value.label for value in values])
    confidences = _column([value.score for value in values])
    probabilities = None
    if set(columns) == set(labels):
        probabilities = np.stack([columns[name] for name in labels], axis=1)
    elif len(labels) == _BINARY and confidences is not None:
        other = 1 - confidences
        probabilities = np.where(
            predicted[:, None] == np.arange(_BINARY), confidences[:, None], other[:, None]
        )
    return ClassifyResults(labels, wanted, predicted, confidences, probabilities)


def _probabilities(
    source: str,
    scores: Sequence[Mapping[str, float] | None],
    given: set[str],
    expected: set[str],
) -> dict[str, Array]:
    """Return the probabilities (N,) of each label; none if not all that were given have some.

    What is called like those of a label that nobody names may be something else, and is left out
    unless it could be probabilities. Raises `InputError` for a label's that are no numbers.
    """
    names = sorted({name for one in scores for name in one or ()})
    found = {name: np.array([(one or {}).get(name, np.nan) for one in scores]) for name in names}
    for name in (given | expected) & set(found):
        if np.isnan(found[name]).any():
            raise InputError(f"{source}: the scores of the label {name!r} are not all numbers")
    kept = {
        name: column
        for name, column in found.items()
        if name in given | expected or ((column >= 0) & (column <= 1)).all()
    }
    return kept if given <= set(kept) else {}


def _check_shared(source: str, expected: set[str], predicted: set[str]) -> None:
    """Raise `InputError` where labels have nothing to do with each other: other names are meant."""
    if expected & predicted:
        return
    one, other = (", ".join(sorted(names)[:5]) for names in (expected, predicted))
    raise InputError(
        f"{source}: none of the labels that are expected ({one}) is ever predicted ({other}); say "
        f"which is which with --map {min(expected)}=LABEL"
    )


def _several(
    source: str,
    expected: list[list[str]],
    values: list[LabelsGuess],
    *,
    threshold: float | None,
) -> MultilabelResults:
    given = {label for labels, _ in values for label in labels}
    wanted = {label for labels in expected for label in labels}
    columns = _probabilities(source, [scores for _, scores in values], given, wanted)
    labels = tuple(sorted({*columns, *given, *wanted}))
    predicted = indicators(labels, [chosen for chosen, _ in values])
    probabilities = None
    if labels and set(columns) == set(labels):
        probabilities = np.stack([columns[name] for name in labels], axis=1)
    if threshold is not None:
        if probabilities is None:
            raise UsageError(
                "--threshold needs the probabilities of all labels; use classify --all-scores"
            )
        predicted = probabilities >= threshold
    return MultilabelResults(labels, indicators(labels, expected), predicted, probabilities)


def _tagged(source: str, expected: list[list[str]], values: list[list[str]]) -> TagResults:
    for number, (gold_tags, tags) in enumerate(zip(expected, values, strict=True), start=1):
        if len(gold_tags) != len(tags):
            raise InputError(
                f"{source}: row {number}: {len(tags)} labels are predicted for "
                f"{len(gold_tags)} words"
            )
    return TagResults(expected, values)


def _answered(
    expected: list[list[str]], values: list[Guess], *, threshold: float | None
) -> QaResults:
    return QaResults(
        expected,
        [value.label for value in values],
        _column([value.score for value in values]),
        _column([value.no_answer for value in values]),
        threshold,
    )


def _column(numbers: Sequence[float | None]) -> Array | None:
    """Return numbers as an array; None if there is none."""
    return None if None in numbers else np.array(numbers, dtype=float)
