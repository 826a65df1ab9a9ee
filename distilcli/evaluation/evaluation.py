"""An evaluation before it is run, rows with their predictions, and its outcome."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from distilcli.checkpoint.locate import locate
from distilcli.engine.engine import Engine, OnError
from distilcli.errors import InputError
from distilcli.gold.cells import Reader
from distilcli.gold.columns import Columns
from distilcli.gold.fingerprints import EMPTY, ROW_KEYS_FILE, Keys, row_keys
from distilcli.predictors.agreement import Agreement
from distilcli.predictors.base import AnyPredictor
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_text, cell_value
from distilcli.stats import RunStats

if TYPE_CHECKING:
    from distilcli.evaluation.results.base import Results

Predicted = Iterator[tuple[Row, Any]]
Measure = Callable[[list[Any], list[Any]], "Results"]
Resolve = Callable[[list[Any]], list[Any]]
Comparison = tuple[Reader[Any], Measure]


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationOptions:
    """What is read of the rows, and how a model runs over them.

    The names of columns with predictions begin with `prefix`; `label_map` maps labels of the data
    to labels of the model. `threshold` is the lowest probability of one of several labels, or the
    highest of "no answer". With `limited` only some rows are read, so predictions may be left over.
    `predictor` are keyword arguments of the task's predictor.
    """

    columns: Columns = field(default_factory=Columns)
    prefix: str | None = None
    label_map: Mapping[str, str] = field(default_factory=dict)
    threshold: float | None = None
    limited: bool = False
    on_error: OnError = "stop"
    predictor: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """Rows, their predictions, and how both become results.

    `gold_of` reads the gold label of a row of `source`, and `resolve` says what those of all rows
    mean: the same, or other labels and errors. `values` yields each row with what was predicted for
    it, and `measure` compares the two lists. `described` says in words what is
    evaluated. A model reads `text_columns`, or what `texts_of` takes from a row; the keys of its
    training rows are in the folder `trained_in`. `agreement` is that of a faster
    precision with fp32; see `Predictor.may_be_slow`.
    """

    task: str
    name: str
    described: str
    source: RowSource
    values: Callable[[RunStats], Predicted]
    gold_of: Reader[Any]
    measure: Measure
    resolve: Resolve = list
    text_columns: Sequence[str] = ()
    texts_of: Callable[[Row], Sequence[str]] | None = None
    trained_in: Path | None = None
    device: str = "cpu"
    load_seconds: float | None = None
    agreement: Agreement | None = None
    may_be_slow: bool = False

    def run(
        self,
        stats: RunStats,
        *,
        by: str | None = None,
        keep_rows: bool = False,
        on_error: OnError = "stop",
    ) -> "Outcome":
        """Go through all rows; `by` is the column of slices, `keep_rows` keeps the rows.

        Raises `InputError` for a row whose gold label is of no use, unless `on_error` is to skip
        it, and if there is no other row.
        """
        cases: list[_Case] = []
        trained_on = _training_keys(self.trained_in)
        for row, value in self.values(stats):
            gold = _gold_or_error(self.gold_of, row)
            if isinstance(gold, InputError) and on_error != "skip":
                raise gold
            case = _Case(gold, value, row if keep_rows else None)
            case.is_empty = any(_is_empty(row, column) for column in self.text_columns)
            if trained_on is not None:
                case.texts = self._texts(row)
            if by is not None:
                case.slice = "" if cell_value(row, by) is None else cell_text(row, by)
            cases.append(case)
        used, errors = self._resolved(cases)
        if errors and on_error != "skip":
            raise errors[0]
        stats.add_rows(0, failed=len(errors), skipped=len(errors))
        if errors:
            stats.note_error(str(errors[0]))
        if not used:
            why = f": {errors[0]}" if errors else ""
            raise InputError(f"{self.source.name}: has no rows to evaluate{why}")
        return Outcome(
            self.measure([case.gold for case in used], [case.value for case in used]),
            [case.slice for case in used] if by is not None else [],
            [case.row for case in used if case.row is not None],
            errors,
            sum(case.is_empty for case in used),
            None if trained_on is None else _seen([case.texts for case in used], trained_on),
        )

    def _resolved(self, cases: list["_Case"]) -> tuple[list["_Case"], list[InputError]]:
        """Return the rows with a gold label, and the errors of the others, in order."""
        read = [case for case in cases if not isinstance(case.gold, InputError)]
        for case, gold in zip(read, self.resolve([case.gold for case in read]), strict=True):
            case.gold = gold
        errors = [case.gold for case in cases if isinstance(case.gold, InputError)]
        return [case for case in read if not isinstance(case.gold, InputError)], errors

    def _texts(self, row: Row) -> Sequence[str]:
        if self.texts_of is not None:
            return self.texts_of(row)
        values = [cell_value(row, column) for column in self.text_columns]
        return [" ".join(map(str, v)) if isinstance(v, list) else str(v or "") for v in values]


@dataclass(slots=True)
class _Case:
    """A row to be evaluated; `gold` is the error of one whose gold label is of no use."""

    gold: Any
    value: Any
    row: Row | None
    slice: str = ""
    texts: Sequence[str] = ()
    is_empty: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """The results; the slice of each row, and the rows, if they were asked for.

    `errors` are those of rows that are not in the results, for lack of a gold label; `empty` rows
    have an empty text and are. `seen` rows were in the model's training; None if that is not known.
    """

    results: "Results"
    slices: Sequence[str]
    rows: Sequence[Row]
    errors: Sequence[InputError] = ()
    empty: int = 0
    seen: int | None = None


def of_predictor(
    task: str,
    predictor: AnyPredictor,
    source: RowSource,
    values: Engine[Row, Any] | Callable[[RunStats], Predicted],
    *,
    gold_of: Reader[Any],
    measure: Measure,
    text_columns: Sequence[str],
    texts_of: Callable[[Row], Sequence[str]] | None = None,
    resolve: Resolve = list,
) -> Evaluation:
    """Return the evaluation of a loaded model; `values` is its engine, or yields its values."""
    return Evaluation(
        task=task,
        name=predictor.name,
        described=predictor.described(),
        source=source,
        values=partial(run_engine, values, source) if isinstance(values, Engine) else values,
        gold_of=gold_of,
        measure=measure,
        resolve=resolve,
        text_columns=text_columns,
        texts_of=texts_of,
        trained_in=locate(predictor.name, offline=True).folder,
        device=predictor.device,
        load_seconds=predictor.load_seconds,
        agreement=predictor.agreement,
        may_be_slow=predictor.may_be_slow,
    )


def run_engine(
    engine: Engine[Any, Any], items: Iterable[Any], stats: RunStats
) -> Iterator[tuple[Any, Any]]:
    """Yield each item that has a value, with the value."""
    with closing(engine.run(items, stats=stats)) as blocks:
        for block in blocks:
            for outcome in block:
                if outcome.value is not None:
                    yield outcome.item, outcome.value


def _gold_or_error(gold_of: Reader[Any], row: Row) -> object:
    try:
        return gold_of(row)
    except InputError as error:
        return error


def _training_keys(folder: Path | None) -> Keys | None:
    path = None if folder is None else folder / ROW_KEYS_FILE
    if path is None or not path.is_file():
        return None
    try:
        keys: Keys = np.load(path)
    except (OSError, ValueError):
        return None
    return keys if keys.dtype == np.uint64 else None


def _seen(texts: Sequence[Sequence[str]], trained_on: Keys) -> int:
    firsts = [first for first, *_ in texts]
    seconds = [second for _, *others in texts for second in others]
    keys = row_keys(firsts, seconds or None)
    return int((np.isin(keys, trained_on) & (keys != EMPTY)).sum())


def _is_empty(row: Row, column: str) -> bool:
    value = cell_value(row, column)
    return value == [] or (isinstance(value, str) and not value.strip())
