"""Entities from the tags of words, and their precision, recall and F1.

Entities start and end as in conlleval (Tjong Kim Sang and Buchholz 2000), in all its tagging
schemes: BIO, with B- at every entity or only between adjacent ones, and BIOES. An entity is
correct if its type and both its ends are.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from distilcli.scores.precision_recall import Array, PrecisionRecall, of_each, precision_recall

OUTSIDE = "O"
"""The label of a word outside any entity."""

NAMELESS = "_"
"""The type of a bare B or I, as in seqeval."""

INSIDE = frozenset("BI")
"""The positions after which an entity may continue."""

_CONTINUING = frozenset("IEL")
_PREFIXED = re.compile(r"([BIESLU])(?:-(.*))?", re.DOTALL)


class Span(NamedTuple):
    """An entity of type `label`: the words from `start` to `stop`, exclusive."""

    label: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Tag:
    """A parsed label of a word; `type` is None outside entities."""

    position: str
    type: str | None

    def continues(self, before: "Tag") -> bool:
        """Whether a word with this tag belongs to the entity of the word before it."""
        return (
            self.type is not None
            and self.type == before.type
            and before.position in INSIDE
            and self.position in _CONTINUING
        )


OUTSIDE_TAG = Tag(OUTSIDE, None)


def spans(tags: Iterable[Tag]) -> list[Span]:
    """Return the entities of words with these tags, in order."""
    found: list[Span] = []
    before = OUTSIDE_TAG
    for index, tag in enumerate(tags):
        if tag.continues(before):
            found[-1] = found[-1]._replace(stop=index + 1)
        elif tag.type is not None:
            found.append(Span(tag.type, index, index + 1))
        before = tag
    return found


def strict_spans(tags: Iterable[Tag], *, closed: bool) -> list[Span]:
    """Return the entities whose tags follow the scheme, as in seqeval's strict mode.

    An entity begins with B-; in a `closed` scheme (BIOES, BILOU) it ends with E- or L-, and is S-
    or U- if it is one word.
    """
    found: list[Span] = []
    begun: Span | None = None
    for index, tag in enumerate([*tags, OUTSIDE_TAG]):
        if begun is not None and tag.type == begun.label and tag.position in _CONTINUING:
            begun = begun._replace(stop=index + 1)
            ends = tag.position in "EL"
        else:
            ends = not closed
        if begun is not None and (ends or begun.stop != index + 1):
            found += [begun] if ends else []
            begun = None
        if closed and tag.position in "SU" and tag.type is not None:
            found.append(Span(tag.type, index, index + 1))
        elif tag.position == "B" and tag.type is not None:
            begun = Span(tag.type, index, index + 1)
    return found


def parse_tag(text: str) -> Tag:
    """Parse a label: `B-PER`, a bare `B`, or a plain `PER` (inside an entity).

    `O`, `_` (no label) and the empty label are outside entities.
    """
    if text in {OUTSIDE, NAMELESS, ""}:
        return OUTSIDE_TAG
    match = _PREFIXED.fullmatch(text)
    return Tag(match[1], match[2] or NAMELESS) if match else Tag("I", text)


@dataclass(frozen=True, slots=True)
class EntityScores:
    """Metrics over all entities, and by type, as conlleval prints them.

    `accuracy` is the share of words with the gold label.
    """

    micro: PrecisionRecall
    types: dict[str, PrecisionRecall]
    accuracy: float


@dataclass(frozen=True, slots=True)
class EntityCounts:
    """Counts per sentence: `counts` (sentences, types, 3) of correct, predicted and gold entities.

    `words` (sentences, 2) counts the words with the gold label, and all words.
    """

    types: tuple[str, ...]
    counts: Array
    words: Array

    def scores(self, rows: Array | slice = slice(None)) -> EntityScores:
        """Return the metrics of the sentences with these indices, or of all."""
        counts = self.counts[rows].sum(axis=0)
        right, total = self.words[rows].sum(axis=0).tolist()
        hits, found, support = counts.sum(axis=0).tolist()
        return EntityScores(
            micro=precision_recall(hits, found, support),
            types=dict(zip(self.types, of_each(*counts.T), strict=True)),
            accuracy=right / total if total else 0.0,
        )


def entity_counts(
    expected: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    *,
    spans_of: Callable[[Iterable[Tag]], list[Span]] = spans,
) -> EntityCounts:
    """Count entities per sentence, types in alphabetical order; `spans_of` reads them from tags.

    Raises `ValueError` if a sentence has different numbers of gold and predicted labels.
    """
    found = [
        (set(spans_of(map(parse_tag, gold))), set(spans_of(map(parse_tag, given))))
        for gold, given in zip(expected, predicted, strict=True)
    ]
    types = sorted({span.label for both in found for part in both for span in part})
    index = {name: position for position, name in enumerate(types)}
    counts = np.zeros((len(found), len(types), 3), dtype=np.int64)
    for row, (gold, given) in enumerate(found):
        for column, part in enumerate((gold & given, given, gold)):
            for span in part:
                counts[row, index[span.label], column] += 1
    words = [
        (sum(one == other for one, other in zip(gold, given, strict=True)), len(gold))
        for gold, given in zip(expected, predicted, strict=True)
    ]
    return EntityCounts(tuple(types), counts, np.array(words, dtype=np.int64).reshape(-1, 2))


def entity_scores(
    expected: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> EntityScores:
    """Score the predicted tags of sentences, one per word, against the gold ones."""
    return entity_counts(expected, predicted).scores()
