"""An evaluation before and after it is run: rows with values in, what was measured of them out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from distilcli.engine.engine import OnError
from distilcli.errors import InputError
from distilcli.evaluation.results.base import Results
from distilcli.evaluation.tasks import Task
from distilcli.gold.cells import UnlabelledError
from distilcli.predictors.int8_check import Agreement
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_text, cell_value
from distilcli.stats import RunStats
from distilcli.tasks.settings import LongTexts


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationOptions:
    """What is said of columns, and of how a model runs; None takes what is usual.

    `computing` are the arguments of a predictor that say where and how its model computes; `names`
    maps labels of the rows to those of the model; `separator` stands between the labels of a cell
    with several. `threshold` is for several labels, and for "no answer". With `limited` not all
    rows are read, so that predictions may be left over.
    """

    text_column: str | None = None
    pair_column: str | None = None
    label_column: str | None = None
    options_column: str | None = None
    option_columns: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    separator: str = ","
    threshold: float | None = None
    limited: bool = False
    on_error: OnError = "stop"
    computing: Mapping[str, Any] = field(default_factory=dict)
    long_texts: LongTexts | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """How rows become figures.

    `source` has the rows with what is expected of them, which `expected_of` reads; `values` yields
    every row that is done with its value, and `measure` compares the two lists. `described` says
    what is evaluated; `text_columns` are those that a model reads; `agreement` is that of a model
    in int8 with fp32.
    """

    task: Task
    name: str
    described: str
    source: RowSource
    values: Callable[[RunStats], Iterator[tuple[Row, Any]]]
    expected_of: Callable[[Row], Any]
    measure: Callable[[list[Any], list[Any]], Results]
    text_columns: Sequence[str] = ()
    device: str = "cpu"
    load_seconds: float | None = None
    agreement: Agreement | None = None

    def run(
        self,
        stats: RunStats,
        *,
        by: str | None = None,
        keep_rows: bool = False,
        on_error: OnError = "stop",
    ) -> "Outcome":
        """Carry every row through; `by` is the column of slices, `keep_rows` keeps the rows.

        Raises `InputError` for a row that nothing is expected of, unless `on_error` is to skip it,
        and where there is no row.
        """
        expected, values, slices, rows = [], [], [], []
        unlabelled = empty = 0
        for row, value in self.values(stats):
            try:
                expected.append(self.expected_of(row))
            except UnlabelledError as error:
                if on_error != "skip":
                    raise
                stats.add_rows(0, failed=1, skipped=1)
                stats.note_error(str(error))
                unlabelled += 1
                continue
            values.append(value)
            empty += any(_is_empty(row, column) for column in self.text_columns)
            if by is not None:
                slices.append(_slice(row, by))
            if keep_rows:
                rows.append(row)
        if not values:
            raise InputError(f"{self.source.name}: has no rows to evaluate")
        return Outcome(self.measure(expected, values), slices, rows, unlabelled, empty)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was measured; the slice that each row is of, and the rows, where they were asked for.

    `unlabelled` rows were left out, for nothing is expected of them; `empty` ones have an empty
    text and count all the same.
    """

    measured: Results
    slices: Sequence[str]
    rows: Sequence[Row]
    unlabelled: int = 0
    empty: int = 0


def _is_empty(row: Row, column: str) -> bool:
    value = cell_value(row, column)
    return isinstance(value, str) and not value.strip()


def _slice(row: Row, by: str) -> str:
    return "" if cell_value(row, by) is None else cell_text(row, by)
