"""Rows whose label is probably wrong: out of all rows, with their vectors, those that are suspect.

A row is suspect because a model that learned from the others gives it another label, because a
row with nearly the same text has another one, or because a test file has nearly the same text.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from distilcli.cleaning.suspicion import Suspicions, probabilities, suspicions
from distilcli.errors import InputError, RowError
from distilcli.gold.cells import Reader
from distilcli.gold.labels import ordered
from distilcli.rows.outcome import Outcome
from distilcli.rows.row import Row
from distilcli.vectors.index import Array, index_of
from distilcli.vectors.search import near_duplicates, nearest

_FEWEST_LABELS = 2
_OF_TWO = 0.5  # one of two labels of one text is wrong

Found = Outcome[Row, Array]
Place = str


@dataclass(slots=True)
class Suspect:
    """Why a row is suspect, and how much, from 0 to 1; `near` are rows of nearly the same text."""

    suggested: str | None = None
    suspicion: float = 0.0
    reasons: tuple[str, ...] = ()
    near: tuple[Place, ...] = ()

    def also(self, reason: str, suspicion: float, near: Place | None = None) -> None:
        """Add a reason."""
        self.suspicion = max(self.suspicion, suspicion)
        self.reasons = tuple(dict.fromkeys((*self.reasons, reason)))
        if near is not None:
            self.near = tuple(dict.fromkeys((*self.near, near)))


class SuspectColumns:
    """The columns of a suspect row."""

    names = ("suggested_label", "suspicion", "reason", "near")

    def values(self, suspect: Suspect) -> list[object]:
        """Return the values of one row, in the order of `names`."""
        reasons, near = (", ".join(parts) for parts in (suspect.reasons, suspect.near))
        return [suspect.suggested, suspect.suspicion, reasons, near]

    def counted(self, suspect: Suspect) -> Sequence[str]:
        """Return the reasons."""
        return suspect.reasons


class Cleaner:
    """Takes all rows with their vectors, and gives back those that are suspect, the worst first.

    Texts with a cosine of at least `threshold` are nearly the same. `tested` are the vectors of
    test rows, and `places` where these are. `facts` counts rows.
    """

    def __init__(
        self,
        label_of: Reader[str],
        *,
        threshold: float,
        tested: Array | None = None,
        places: Sequence[Place] = (),
        place_of: Callable[[Row], Place] = lambda row: f"{row.source}: line {row.line}",
    ) -> None:
        self._label_of = label_of
        self._threshold = threshold
        self._tested = tested
        self._places = places
        self._place_of = place_of
        self.facts: dict[str, int] = {}

    def suspects(self, blocks: Iterator[list[Found]]) -> Iterator[list[Outcome[Row, Suspect]]]:
        """Yield the suspect rows, the most suspicious first, and after them those of no use."""
        rows: list[Found] = []
        labels: list[str] = []
        failed: list[Outcome[Row, Suspect]] = []
        for block in blocks:
            for outcome in block:
                error = outcome.error
                if outcome.value is not None:
                    try:
                        labels.append(self._label_of(outcome.item))
                        rows.append(outcome)
                    except (InputError, RowError) as fault:
                        error = str(fault)
                if error is not None:
                    failed.append(Outcome(outcome.item, error=error))
        found = self._found(rows, labels)
        order = sorted(found, key=lambda index: -found[index].suspicion)
        self.facts |= {"checked": len(rows), "suspect": len(order)}
        yield [
            Outcome(rows[index].item, value=found[index], truncated=rows[index].truncated)
            for index in order
        ] + failed

    def _found(self, rows: Sequence[Found], labels: Sequence[str]) -> dict[int, Suspect]:
        names = ordered(set(labels))
        if len(names) < _FEWEST_LABELS:
            raise InputError(
                f"the rows have {len(names) or 'no'} label{'s' * (not names)}; give rows with at "
                "least two, or name another `label_column`"
            )
        index = {name: position for position, name in enumerate(names)}
        gold = [index[label] for label in labels]
        vectors = np.stack([row.value for row in rows if row.value is not None])
        scores = probabilities(vectors, gold)
        found = _mislabelled(suspicions(scores, gold), names)
        places = [self._place_of(row.item) for row in rows]
        _add_twins(found, vectors, scores, gold, names, places, self._threshold)
        if self._tested is not None and len(self._tested):
            hits = nearest(index_of(self._tested), vectors, 1)
            for row, best in enumerate(hits):
                if best and best[0].score >= self._threshold:
                    suspect = found.setdefault(row, Suspect())
                    suspect.also("leak", best[0].score, self._places[best[0].index])
        return found


def _mislabelled(found: Suspicions, names: Sequence[str]) -> dict[int, Suspect]:
    """Return the rows that a model would label otherwise."""
    return {
        int(row): Suspect(names[found.suggested[row]], float(found.margins[row]), ("label",))
        for row in np.flatnonzero(found.margins > 0)
    }


def _add_twins(
    found: dict[int, Suspect],
    vectors: Array,
    scores: Array,
    gold: Sequence[int],
    names: Sequence[str],
    places: Sequence[Place],
    threshold: float,
) -> None:
    """Add rows of nearly the same text with another label, the less likely of two."""
    likely = np.nan_to_num(scores)
    for pair in near_duplicates(index_of(vectors), threshold):
        first, second = pair.first, pair.second
        if gold[first] == gold[second]:
            continue
        both = likely[first] + likely[second]
        wrong, right = sorted((first, second), key=lambda row: both[gold[row]])
        suspect = found.setdefault(wrong, Suspect())
        if suspect.suggested is None:
            found[wrong] = suspect = replace(suspect, suggested=names[gold[right]])
        suspect.also("duplicate", _OF_TWO, places[right])
