"""Entities as tags of words say them, and how good those are that were found.

Where an entity begins and ends is what conlleval says (Tjong Kim Sang and Buchholz 2000), in all
forms of its tags: BIO, with B- at every entity or only between two that touch, and BIOES. An
entity is found if its type and both its ends agree.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from distilcli.scores.precision_recall import Array, PrecisionRecall, of_each, precision_recall

OUTSIDE = "O"
"""The label of a word that is in no entity."""

NAMELESS = "_"
"""The type of a bare B or I, as seqeval calls it."""

INSIDE = frozenset("BI")
"""The positions after which an entity may go on."""

_CONTINUING = frozenset("IEL")
_PREFIXED = re.compile(r"([BIESLU])(?:-(.*))?", re.DOTALL)


class Span(NamedTuple):
    """An entity of the type `label`: the words from `start` up to, not including, `stop`."""

    label: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Tag:
    """A label of a word taken apart; `type` is None outside of entities."""

    position: str
    type: str | None

    def goes_on_from(self, before: "Tag") -> bool:
        """Whether a word with this label belongs to the entity of the word before it."""
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
    for place, tag in enumerate(tags):
        if tag.goes_on_from(before):
            found[-1] = found[-1]._replace(stop=place + 1)
        elif tag.type is not None:
            found.append(Span(tag.type, place, place + 1))
        before = tag
    return found


def parse_tag(text: str) -> Tag:
    """Take a label apart: `B-PER`, a bare `B`, a plain `PER` (inside of one), or one outside.

    Outside are `O`, `_` (no label) and an empty one.
    """
    if text in {OUTSIDE, NAMELESS, ""}:
        return OUTSIDE_TAG
    match = _PREFIXED.fullmatch(text)
    return Tag(match[1], match[2] or NAMELESS) if match else Tag("I", text)


@dataclass(frozen=True, slots=True)
class EntityScores:
    """Figures over all entities together, as conlleval's last line, and by type.

    `accuracy` is the share of words whose label is the expected one.
    """

    micro: PrecisionRecall
    types: dict[str, PrecisionRecall]
    accuracy: float


@dataclass(frozen=True, slots=True)
class EntityCounts:
    """What was right, found and there in each sentence: `counts` (sentences, types, 3).

    `words` (sentences, 2) are those with the expected label, and all.
    """

    types: tuple[str, ...]
    counts: Array
    words: Array

    def scores(self, rows: Array | slice = slice(None)) -> EntityScores:
        """Return the figures of some sentences, by their numbers, or of all."""
        counts = self.counts[rows].sum(axis=0)
        right, total = self.words[rows].sum(axis=0).tolist()
        hits, found, support = counts.sum(axis=0).tolist()
        return EntityScores(
            micro=precision_recall(hits, found, support),
            types=dict(zip(self.types, of_each(*counts.T), strict=True)),
            accuracy=right / total if total else 0.0,
        )


def entity_counts(
    expected: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> EntityCounts:
    """Count entities, sentence by sentence; `ValueError` where two have not as many words.

    Types are in the order of the alphabet.
    """
    found = [
        (set(spans(map(parse_tag, gold))), set(spans(map(parse_tag, given))))
        for gold, given in zip(expected, predicted, strict=True)
    ]
    types = sorted({span.label for both in found for part in both for span in part})
    number = {name: place for place, name in enumerate(types)}
    counts = np.zeros((len(found), len(types), 3), dtype=np.int64)
    for row, (gold, given) in enumerate(found):
        for column, part in enumerate((gold & given, given, gold)):
            for span in part:
                counts[row, number[span.label], column] += 1
    words = [
        (sum(one == other for one, other in zip(gold, given, strict=True)), len(gold))
        for gold, given in zip(expected, predicted, strict=True)
    ]
    return EntityCounts(tuple(types), counts, np.array(words, dtype=np.int64).reshape(-1, 2))


def entity_scores(
    expected: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> EntityScores:
    """Score the tags of sentences, one a word, against the expected ones."""
    return entity_counts(expected, predicted).scores()
