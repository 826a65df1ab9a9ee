"""What an evaluation found: figures, where they may lie, slices, and the rows gone wrong."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from distilcli.evaluation.exam import Outcome
from distilcli.evaluation.measured import Measured, Record, Table
from distilcli.rows.row import Row
from distilcli.rows.writer import Block
from distilcli.scores.bootstrap import Interval

_BLOCK_ROWS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """`figures` by metric, each with its interval if there are any; `tables` for people.

    In `slices` a figure that is undefined is None already.
    """

    rows: int
    figures: Mapping[str, float]
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    tables: Sequence[Table] = ()
    slices: Sequence[Record] = ()
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
            **({"slices": self.slices} if self.slices else {}),
            **self.details,
        }


def report_of(
    outcome: Outcome,
    *,
    by: str | None = None,
    confidence: float | None = None,
    search: bool = False,
    added: Mapping[str, float] = MappingProxyType({}),
    seed: int = 0,
) -> Report:
    """Return what was found; slices are those of the column `by`, the largest first.

    `added` are figures from elsewhere.
    """
    measured = outcome.measured
    return Report(
        rows=len(measured),
        figures={**measured.figures(), **(measured.search() if search else {}), **added},
        intervals=measured.intervals(confidence=confidence, seed=seed) if confidence else {},
        tables=measured.tables(),
        slices=[] if by is None else _slices(measured, outcome.slices, by),
        details=measured.details(),
    )


def _slices(measured: Measured, names: Sequence[str], by: str) -> list[Record]:
    numbers = np.array(names, dtype=object)
    return [
        _all_known({by: name, "rows": count, **measured.figures(np.flatnonzero(numbers == name))})
        for name, count in Counter(names).most_common()
    ]


def worst_rows(outcome: Outcome) -> Iterator[Block]:
    """Yield the rows gone wrong, the worst first, with what they got, in blocks for a writer."""
    measured = outcome.measured
    order = measured.worst().tolist()
    for start in range(0, len(order), _BLOCK_ROWS):
        yield [_fault(measured, outcome.rows, row) for row in order[start : start + _BLOCK_ROWS]]


def _fault(measured: Measured, rows: Sequence[Row], row: int) -> tuple[Row, Record]:
    return rows[row], dict(zip(measured.fault_names, measured.fault(row), strict=True))


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _all_known(record: Record) -> Record:
    return {
        name: _known(value) if isinstance(value, float) else value for name, value in record.items()
    }
