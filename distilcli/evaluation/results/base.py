"""What every kind of evaluation can say of its rows: figures, tables of parts, the worst rows."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from distilcli.errors import UsageError
from distilcli.scores.bootstrap import Interval, intervals
from distilcli.scores.precision_recall import Array, PrecisionRecall

Rows = Array | slice
"""Some rows, by their numbers; a number may come again."""

EVERY = slice(None)

Record = dict[str, object]


@dataclass(frozen=True, slots=True)
class Table:
    """Figures by parts, one a record, all with the same keys; programs know it by its `name`."""

    name: str
    title: str
    records: Sequence[Record]


class Results(ABC):
    """Rows with what was expected and what was given; N counts them.

    `fault_names` are the columns that a row gone wrong gets.
    """

    fault_names: ClassVar[tuple[str, ...]] = ("predicted", "expected", "score")

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def figures(self, rows: Rows = EVERY) -> dict[str, float]:
        """Return the figures of some rows, by the names of the metrics; NaN where undefined."""

    def intervals(self, *, confidence: float, seed: int = 0) -> dict[str, Interval]:
        """Return for each figure where it lies with this confidence, by drawing rows again."""
        return intervals(self.figures, len(self), confidence=confidence, seed=seed)

    def tables(self) -> list[Table]:
        """Return the figures of parts: labels, types, and the like."""
        return []

    def details(self) -> dict[str, object]:
        """Return what only a program reads: plain JSON values by name."""
        return {}

    def search(self) -> dict[str, float]:
        """Return the best threshold and what it is worth; `UsageError` where there is none."""
        raise UsageError("--threshold-search: these rows have nothing that a threshold could cut")

    @abstractmethod
    def worst(self) -> Array:
        """Return the numbers of the rows that went wrong, the worst first."""

    @abstractmethod
    def fault(self, row: int) -> tuple[object, ...]:
        """Return what a row that went wrong gets in the columns `fault_names`."""


def shares(first: Mapping[str, object], scores: PrecisionRecall) -> Record:
    """Return the record of one part, named by `first`."""
    return {
        **first,
        "precision": scores.precision,
        "recall": scores.recall,
        "f1": scores.f1,
        "support": scores.support,
    }
