"""A label for each word of sentences, against the labels that are right."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from distilcli.evaluation.results.base import EVERY, Results, Rows, Table, shares
from distilcli.scores.entities import OUTSIDE, EntityCounts, entity_counts
from distilcli.scores.precision_recall import Array
from distilcli.tasks.tag import Tagging

Tags = Sequence[str]


@dataclass(frozen=True)
class TagResults(Results):
    """`expected` and `predicted` labels, one a word, sentence by sentence."""

    expected: Sequence[Tags]
    predicted: Sequence[Tags]

    @classmethod
    def of(cls, expected: Sequence[Tags], values: Sequence[Tagging]) -> "TagResults":
        """Take what a tagger gave; a word that it did not see is in no entity."""
        return cls(expected, [[tag or OUTSIDE for tag in value.tags] for value in values])

    def __len__(self) -> int:
        return len(self.expected)

    @cached_property
    def _counts(self) -> EntityCounts:
        return entity_counts(self.expected, self.predicted)

    def figures(self, rows: Rows = EVERY) -> dict[str, float]:
        """See `Results`; over all entities together, accuracy over words."""
        scores = self._counts.scores(rows)
        return {
            "precision": scores.micro.precision,
            "recall": scores.micro.recall,
            "f1": scores.micro.f1,
            "accuracy": scores.accuracy,
        }

    def tables(self) -> list[Table]:
        """Return the figures of each type."""
        types = self._counts.scores().types
        return [
            Table("types", "by type", [shares({"type": name}, one) for name, one in types.items()])
        ]

    @cached_property
    def _faults(self) -> Array:
        """How many entities each sentence misses, or has too many."""
        hits, found, support = self._counts.counts.sum(axis=1).T
        faults: Array = found + support - 2 * hits
        return faults

    def worst(self) -> Array:
        """Return the sentences with entities gone wrong, the most of them first."""
        order = np.argsort(-self._faults, kind="stable")
        return order[self._faults[order] > 0]

    def fault(self, row: int) -> tuple[object, ...]:
        """See `Results`; the score counts entities that are missing or too many."""
        return list(self.predicted[row]), list(self.expected[row]), int(self._faults[row])
