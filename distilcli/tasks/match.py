"""Labels without a trained head: the vector of a text, through a linear map for each set of labels.

A map has a row for each label, which gives its logit; where the map comes from is not known here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from distilcli.engine.batching import Batch
from distilcli.engine.task import Encoded
from distilcli.errors import RowError
from distilcli.tasks.classify import Classification, ClassificationColumns
from distilcli.tasks.embed import Array, EmbedTask
from distilcli.tasks.label_sets import LabelSet
from distilcli.tasks.result import Result

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class LabelHead:
    """The linear map of a set of labels: `weight` (labels, D) and `bias` (labels,)."""

    labels: tuple[str, ...]
    weight: Array
    bias: Array

    def __call__(self, vector: Array, *, truncated: bool) -> Classification:
        """Return the labels' probabilities for a vector (D,)."""
        logits = (self.weight @ vector + self.bias).astype(np.float64)
        shares = np.exp(logits - logits.max())
        scores = tuple((shares / shares.sum()).tolist())
        return Classification(scores, self.labels, "single", truncated=truncated)


@dataclass(frozen=True, slots=True, repr=False)
class Match(Result):
    """What a text is labelled: `sets` has a classification for each set of labels."""

    _shown = ("label", "score")
    sets: tuple[Classification, ...]

    @property
    def label(self) -> str | None:
        """The likeliest label of the first set."""
        return self.sets[0].label

    @property
    def score(self) -> float:
        """The probability of `label`."""
        return self.sets[0].score


class MatchTask(Generic[Item]):
    """Embedding as the engine runs it, with a label of each set instead of the vector."""

    def __init__(self, embedding: EmbedTask[Item], heads: Sequence[LabelHead]) -> None:
        self._embedding = embedding
        self._heads = heads

    def size(self, item: Item) -> int:
        """Return the number of characters of an item."""
        return self._embedding.size(item)

    def encode(self, items: Sequence[Item]) -> list[Encoded | RowError]:
        """Tokenize items at once; an item whose text cannot be read gives its `RowError`."""
        return self._embedding.encode(items)

    def forward(self, batch: Batch) -> list[Array]:
        """Return the pooled vector of each piece."""
        return self._embedding.forward(batch)

    def decode(self, item: Item, encoded: Encoded, outputs: Sequence[Array]) -> Match:
        """Label the vector of an item; raise `RowError` if it is not finite."""
        vector = self._embedding.decode(item, encoded, outputs)
        cut = encoded.truncated
        return Match(tuple(head(vector, truncated=cut) for head in self._heads), truncated=cut)

    def agreement(self, first: Match, second: Match) -> float:
        """Return the share of sets whose likeliest label is the same."""
        pairs = zip(first.sets, second.sets, strict=True)
        return float(np.mean([one.label == other.label for one, other in pairs]))


class MatchColumns:
    """The columns of each set of labels, those of a set with a name after `NAME_`."""

    def __init__(self, sets: Sequence[LabelSet], *, top_k: int, all_scores: bool) -> None:
        """Raise `UsageError` if two columns would have the same name."""
        self._prefixes = [f"{each.name}_" if each.name else "" for each in sets]
        self._columns = [
            ClassificationColumns(each.names, "single", top_k=top_k, all_scores=all_scores)
            for each in sets
        ]

    @property
    def names(self) -> list[str]:
        """The new columns, in order."""
        both = zip(self._prefixes, self._columns, strict=True)
        return [prefix + name for prefix, columns in both for name in columns.names]

    def values(self, match: Match) -> list[object]:
        """Return the values of one row, in the order of `names`."""
        both = zip(self._columns, match.sets, strict=True)
        return [value for columns, found in both for value in columns.values(found)]

    def counted(self, match: Match) -> list[str]:
        """Return the likeliest label of each set."""
        return [str(found.label) for found in match.sets]
