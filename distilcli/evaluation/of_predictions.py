"""Predictions against gold labels in the same rows, or in the rows of another file.

Two files are matched by the column `id` if both have one, else row by row.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from distilcli.engine.engine import OnError
from distilcli.errors import InputError, UsageError, tell
from distilcli.evaluation.evaluation import Evaluation, EvaluationOptions
from distilcli.evaluation.prediction_columns import PredictedColumns, Prediction, read_answers
from distilcli.evaluation.results.base import Results
from distilcli.gold.columns import gold_column
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_text
from distilcli.stats import RunStats
from distilcli.tasks.spec import TASKS, TaskSpec
from distilcli.wording import count

ID = "id"

Predicted = Iterator[tuple[Row, Prediction | InputError | None]]
"""Rows with their predictions, or the error of one that cannot be read; None if a row has none."""


@dataclass(frozen=True, slots=True)
class PredictionsSubject:
    """Predictions against the rows of `data`, or against their own rows if `data` is None.

    They are columns of rows, or answers by ids.
    """

    name: str
    task: TaskSpec
    predictions: "PredictedColumns | dict[str, Prediction]"
    data: RowSource | None

    def evaluation(self, options: EvaluationOptions) -> Evaluation:
        """Bring the two together; raise `InputError` for columns that do not exist."""
        source, taken = self.data, list[str]()
        if isinstance(self.predictions, PredictedColumns) and source is None:
            source, taken = self.predictions.source, self.predictions.all
        assert source is not None  # noqa: S101  answers by ids have data
        results: type[Results] = self.task.load(self.task.results)
        has_gold = bool(self.task.gold_columns)
        column = _gold_column(self.task, source, taken, options) if has_gold else ""
        gold_of, measure = results.comparison(source, column, options)
        return Evaluation(
            task=self.task.name,
            name=self.name,
            described=f"predictions {self.name}",
            source=source,
            values=partial(_counted, self.name, self._rows(options), options.on_error),
            gold_of=gold_of,
            measure=measure,
        )

    def _rows(self, options: EvaluationOptions) -> Predicted:
        found, data, limited = self.predictions, self.data, options.limited
        if isinstance(found, PredictedColumns):
            if data is None:
                return _beside(found)
            if ID in found.source.columns and ID in data.columns:
                return _joined(self.name, found, data, limited=limited)
            return _in_order(self.name, found, data, limited=limited)
        assert data is not None  # noqa: S101
        return _by_id(self.name, found, data, limited=limited, partial=True)


def open_predictions(
    name: str,
    rows: RowSource | None,
    data: RowSource | None,
    *,
    task: str | None = None,
    prefix: str | None = None,
) -> PredictionsSubject:
    """Find out what `rows` predict; without rows, read the answers by ids in the file `name`.

    Without `task` and `prefix` the names of the columns decide. Raises `InputError` if they say
    nothing.
    """
    if rows is not None:
        columns = PredictedColumns(rows, prefix=prefix, task=task)
        return PredictionsSubject(name, columns.task, columns, data)
    if data is None:
        raise UsageError(f"{name}: answers by ids need the questions; name their file too")
    if task not in {None, "qa"}:
        raise UsageError(f"{name}: has answers by ids, which are not predictions of {task}")
    return PredictionsSubject(name, TASKS["qa"], read_answers(name), data)


def _counted(
    name: str, rows: Predicted, on_error: OnError, stats: RunStats
) -> Iterator[tuple[Row, Prediction]]:
    """Yield the rows that have a prediction; count and tell of those without, or abstained from.

    Raises the `InputError` of a prediction that cannot be read, unless `on_error` is to skip it.
    """
    stats.start()
    missing = abstained = 0
    for row, prediction in rows:
        if isinstance(prediction, Prediction) and prediction.abstained:
            abstained += 1
            stats.add_rows(1, abstained=1)
            continue
        if isinstance(prediction, Prediction):
            stats.add_rows(1)
            yield row, prediction
            continue
        if prediction is not None and on_error != "skip":
            raise prediction
        missing += prediction is None
        stats.add_rows(1, failed=1, skipped=1)
        why = f"{row.source}: line {row.line}: no prediction in {name}"
        stats.note_error(str(prediction or why))
    if missing:
        tell(f"{name}: {count(missing, 'row has', 'rows have')} no prediction; not counted")
    if abstained:
        tell(
            f"{name}: the model abstained on {count(abstained, 'row')}; "
            "the metrics cover the others"
        )
    stats.finish()


def _read(predictions: PredictedColumns, row: Row) -> Prediction | InputError:
    try:
        return predictions.value(row)
    except InputError as error:
        return error


def _beside(predictions: PredictedColumns) -> Predicted:
    for row in predictions.source:
        yield row, _read(predictions, row)


def _in_order(
    name: str, predictions: PredictedColumns, data: RowSource, *, limited: bool
) -> Predicted:
    ours, theirs, seen = iter(predictions.source), iter(data), 0
    for row in theirs:
        prediction = next(ours, None)
        if prediction is None:
            raise _mismatch(name, seen, data.name, seen + 1 + _count(theirs))
        seen += 1
        yield row, _read(predictions, prediction)
    if (further := _count(ours)) and not limited:
        raise _mismatch(name, seen + further, data.name, seen)


def _count(rows: Iterator[Row]) -> int:
    return sum(1 for _ in rows)


def _mismatch(name: str, count: int, data: str, other: int) -> InputError:
    return InputError(
        f"{name}: has {count:,} rows and {data} {other:,}; give the predictions of the same rows, "
        f"or both files a column {ID!r}"
    )


def _joined(
    name: str, predictions: PredictedColumns, data: RowSource, *, limited: bool
) -> Predicted:
    found: dict[str, Prediction | InputError] = {}
    for row in predictions.source:
        key = cell_text(row, ID)
        if key in found:
            raise InputError(f"{row.source}: line {row.line}: the id {key!r} appears twice")
        found[key] = _read(predictions, row)
    yield from _by_id(name, found, data, limited=limited)


def _by_id(
    name: str,
    found: Mapping[str, Prediction | InputError],
    data: RowSource,
    *,
    limited: bool,
    partial: bool = False,
) -> Predicted:
    """Match rows by their ids; with `partial` some may have no prediction, as in SQuAD's script."""
    seen = set()
    for row in data:
        key = cell_text(row, ID)
        if key not in found:
            if partial:
                yield row, None
                continue
            raise InputError(
                f"{name}: has no prediction for the id {key!r} "
                f"({row.source}: line {row.line}); give the predictions of the same rows"
            )
        seen.add(key)
        yield row, found[key]
    left = [key for key in found if key not in seen]
    if left and not limited:
        ids = "1 id is" if len(left) == 1 else f"{len(left):,} ids are"
        raise InputError(
            f"{name}: {ids} not in {data.name}, the first: {left[0]!r}; "
            "give the predictions of the same rows"
        )


def _gold_column(
    task: TaskSpec, source: RowSource, taken: Sequence[str], options: EvaluationOptions
) -> str:
    """Return the gold column; `InputError` if one column could be gold as well as predicted."""
    try:
        return gold_column(source, task, options.columns, taken=taken)
    except InputError:
        # Predictions mostly have more than one column: this may be the gold one.
        if options.columns.label_column is not None or len(taken) != 1:
            raise
    raise InputError(
        f"{source.name}: no predictions beside {taken[0]!r}; name a model "
        f"(distil evaluate MODEL {source.name}) or a file that distil has written "
        f"(columns: {', '.join(source.columns)})"
    )
