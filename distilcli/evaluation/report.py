"""What an evaluation found: figures, where they may lie, slices, and the rows gone wrong."""

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from distilcli.evaluation.results.base import Record, Results, Table
from distilcli.evaluation.run import Outcome
from distilcli.rows.row import Row
from distilcli.rows.row_writer import RENAMING, Block
from distilcli.scores.bootstrap import Interval

_BLOCK_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Slice:
    """The figures of the `rows` that have one value, the slice's `name`, in some column."""

    name: str
    rows: int
    figures: Mapping[str, float]

    def record(self) -> Record:
        """Return everything as one record; a figure that is undefined is None."""
        return _all_known({"slice": self.name, "rows": self.rows, **self.figures})

    def records(self) -> list[Record]:
        """Return a record for each figure, as the report has them; there are no intervals."""
        return [{"metric": name, "value": _known(value)} for name, value in self.figures.items()]


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """`figures` by metric, each with its interval if there are any; `tables` for people."""

    rows: int
    figures: Mapping[str, float]
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    tables: Sequence[Table] = ()
    slices: Sequence[Slice] = ()
    details: Mapping[str, object] = field(default_factory=dict)

    def records(self) -> list[Record]:
        """Return a record for each figure: metric, value, and the ends of its interval."""
        return [
            {"metric": name, "value": _known(value), **self._ends(name)}
            for name, value in self.figures.items()
        ]

    def _ends(self, name: str) -> Record:
        if not self.intervals:
            return {}
        low, high = self.intervals.get(name, (math.nan, math.nan))
        return {"low": _known(low), "high": _known(high)}

    def _all_ends(self) -> Record:
        return {name: list(map(_known, ends)) for name, ends in self.intervals.items()}

    def as_dict(self) -> dict[str, object]:
        """Return everything as plain JSON values; a figure that is undefined is None."""
        return {
            "evaluated_rows": self.rows,
            "metrics": {name: _known(value) for name, value in self.figures.items()},
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
    seed: int = 0,
) -> Report:
    """Return what was found; the largest of its slices come first.

    `added` are figures from elsewhere.
    """
    measured = outcome.measured
    return Report(
        rows=len(measured),
        figures={**measured.figures(), **(measured.search() if search else {}), **added},
        intervals=measured.intervals(confidence=confidence, seed=seed) if confidence else {},
        tables=measured.tables(),
        slices=_slices(measured, outcome.slices),
        details=measured.details(),
    )


def _slices(measured: Results, names: Sequence[str]) -> list[Slice]:
    numbers = np.array(names, dtype=object)
    return [
        Slice(name, count, measured.figures(np.flatnonzero(numbers == name)))
        for name, count in Counter(names).most_common()
    ]


def worst_rows(outcome: Outcome) -> Iterator[Block]:
    """Yield the rows gone wrong, the worst first, with what they got, in blocks for a writer."""
    measured = outcome.measured
    order = measured.worst().tolist()
    for start in range(0, len(order), _BLOCK_ROWS):
        yield [_fault(measured, outcome.rows, row) for row in order[start : start + _BLOCK_ROWS]]


def free_prefix(columns: Sequence[str], new: Sequence[str]) -> str:
    """Return what the names of `new` columns begin with, so that none is one of `columns`.

    The columns may come from a run of this kind, so that the usual prefix is taken too.
    """
    further = ("evaluated_" * times for times in itertools.count(1))
    prefixes = itertools.chain(("", RENAMING), further)
    return next(prefix for prefix in prefixes if not any(prefix + name in columns for name in new))


def _fault(measured: Results, rows: Sequence[Row], row: int) -> tuple[Row, Record]:
    return rows[row], dict(zip(measured.fault_names, measured.fault(row), strict=True))


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _all_known(record: Record) -> Record:
    return {
        name: _known(value) if isinstance(value, float) else value for name, value in record.items()
    }
