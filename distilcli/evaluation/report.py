"""The report of an evaluation: metrics, their intervals, slices, and the rows that went wrong."""

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from distilcli.evaluation.evaluation import Outcome
from distilcli.evaluation.results.base import Record, Results, Table
from distilcli.rows.row import Row
from distilcli.rows.row_writer import RENAMING, Block
from distilcli.scores.bootstrap import Interval

_BLOCK_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Slice:
    """The metrics of the `rows` with one value, the `name` of the slice, in some column."""

    name: str
    rows: int
    metrics: Mapping[str, float]

    def record(self) -> Record:
        """Return everything as one record; an undefined metric is None."""
        return _all_known({"slice": self.name, "rows": self.rows, **self.metrics})

    def records(self) -> list[Record]:
        """Return a record for each metric, as in the report, without intervals."""
        return [{"metric": name, "value": _known(value)} for name, value in self.metrics.items()]


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """`metrics` by name, each with its interval if there are any; `tables` are for people.

    `seen` of the rows were in the training of the model; None if that is not known.
    """

    rows: int
    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    tables: Sequence[Table] = ()
    slices: Sequence[Slice] = ()
    details: Mapping[str, object] = field(default_factory=dict)
    seen: int | None = None

    def records(self) -> list[Record]:
        """Return a record for each metric: name, value, and the ends of its interval."""
        return [
            {"metric": name, "value": _known(value), **self._ends(name)}
            for name, value in self.metrics.items()
        ]

    def _ends(self, name: str) -> Record:
        if not self.intervals:
            return {}
        low, high = self.intervals.get(name, (math.nan, math.nan))
        return {"low": _known(low), "high": _known(high)}

    def _all_ends(self) -> Record:
        return {name: list(map(_known, ends)) for name, ends in self.intervals.items()}

    def as_dict(self) -> dict[str, object]:
        """Return everything as plain JSON values; an undefined metric is None."""
        return {
            "evaluated_rows": self.rows,
            **({} if self.seen is None else {"rows_seen_in_training": self.seen}),
            "metrics": {name: _known(value) for name, value in self.metrics.items()},
            **({"intervals": self._all_ends()} if self.intervals else {}),
            **{table.name: [_all_known(one) for one in table.records] for table in self.tables},
            **({"slices": [one.record() for one in self.slices]} if self.slices else {}),
            **self.details,
        }


def report_of(
    outcome: Outcome,
    *,
    confidence: float | None = None,
    search: bool = False,
    added: Mapping[str, float] = MappingProxyType({}),
    tables: Sequence[Table] = (),
    seed: int = 0,
) -> Report:
    """Return the report, the largest slices first, with `added` metrics and `tables`."""
    results = outcome.results
    return Report(
        rows=len(results),
        metrics={**results.metrics(), **(results.search() if search else {}), **added},
        intervals=results.intervals(confidence=confidence, seed=seed) if confidence else {},
        tables=[*results.tables(), *tables],
        slices=_slices(results, outcome.slices),
        details=results.details(),
        seen=outcome.seen,
    )


def _slices(results: Results, names: Sequence[str]) -> list[Slice]:
    of_rows = np.array(names, dtype=object)
    return [
        Slice(name, count, results.metrics(np.flatnonzero(of_rows == name)))
        for name, count in Counter(names).most_common()
    ]


def worst_rows(outcome: Outcome) -> Iterator[Block]:
    """Yield the rows that went wrong, the worst first, in blocks for a writer."""
    results = outcome.results
    order = results.worst().tolist()
    for start in range(0, len(order), _BLOCK_ROWS):
        yield [
            _with_error(results, outcome.rows, row) for row in order[start : start + _BLOCK_ROWS]
        ]


def free_prefix(columns: Sequence[str], new: Sequence[str]) -> str:
    """Return a prefix with which none of the `new` columns is one of `columns`.

    The columns may come from an earlier evaluation, so that the usual prefix is taken as well.
    """
    further = ("evaluated_" * times for times in itertools.count(1))
    prefixes = itertools.chain(("", RENAMING), further)
    return next(prefix for prefix in prefixes if not any(prefix + name in columns for name in new))


def _with_error(results: Results, rows: Sequence[Row], row: int) -> tuple[Row, Record]:
    return rows[row], dict(zip(results.error_columns, results.error_row(row), strict=True))


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _all_known(record: Record) -> Record:
    return {
        name: _known(value) if isinstance(value, float) else value for name, value in record.items()
    }
