"""The tags of a file in the usual spelling, whatever their scheme and spelling there."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Protocol

from distilcli.errors import tell
from distilcli.gold.labels import LabelError, named_number
from distilcli.rows.reader import RowSource
from distilcli.scores.entities import OUTSIDE
from distilcli.scores.tag_spelling import (
    are_word_classes,
    as_bio2,
    is_iob1,
    unlike_others,
    usual_spellings,
)

Tags = Sequence[str]

_SHOWN = 3


class Named(Protocol):
    """Rows with a name and columns: of one source, or of several."""

    @property
    def name(self) -> str:
        """The name for messages."""

    @property
    def columns(self) -> Sequence[str]:
        """The columns, none for rows of several sources."""


def usual_tags(
    rows: Sequence[Tags],
    *,
    names: Sequence[str],
    source: RowSource,
    columns: tuple[str, str],
    known: Sequence[str] = (),
) -> list[list[str]]:
    """Return the tags of sentences in the usual spelling; an empty tag says nothing of its word.

    `names` are those of numeric tags, in order, by default those of the model, `known`; `columns`
    hold the words and the tags. The user is told how tags were read. Raises `LabelError` for
    numbers without names, and if every word has the same tag, unless it is `O` or a known name.
    """
    counts = Counter(tag for tags in rows for tag in tags if tag)
    place = f"{source.name}, column {columns[1]!r}"
    if len(counts) == 1 and not counts.keys() & {OUTSIDE, *names, *known} and counts.total() > 1:
        raise all_alike(next(iter(counts)), source, columns)
    if counts and all(tag.removeprefix("-").isdecimal() for tag in counts):
        spelled = _named(counts, names, known, place)
    else:
        usual = usual_spellings({*counts, *names})
        allowed = [usual[name] for name in names]
        spelled = {
            tag: named_number(usual[tag], allowed, place=place) if names else usual[tag]
            for tag in counts
        }
        if odd := next((tag for tag in counts if tag != spelled[tag]), None):
            tell(f"{place}: {odd!r} is read as {spelled[odd]!r}, and others like it")
        if odd := unlike_others({*spelled.values()} - {OUTSIDE}):
            tell(f"{place}: {odd!r} is taken as it stands; others are B-TYPE or I-TYPE")
    found = Counter({spelled[tag]: count for tag, count in counts.items()})
    if found.total() > 1 and not ({OUTSIDE} & {*found, *names, *known} or are_word_classes(found)):
        tell(
            f"{place}: no word has the label {OUTSIDE} (outside), so every word is in an entity; "
            f"the most frequent label is {found.most_common(1)[0][0]!r}"
        )
    spelled[""] = ""
    return [[spelled[tag] for tag in tags] for tags in rows]


def _named(
    numbers: Collection[str], names: Sequence[str], known: Sequence[str], place: str
) -> dict[str, str]:
    """Return the name of each tag that is a number; say so if the model's order is used."""
    if not (names or known):
        raise LabelError(
            f"{place}: the tags are numbers; name them in order with `labels` O,B-PER,…, or "
            "name another `label_column`"
        )
    allowed = [*usual_spellings(names or known).values()]
    spelled = {tag: named_number(tag, allowed, place=place) for tag in numbers}
    if not names:
        shown = sorted(spelled, key=int)[:_SHOWN]
        tell(
            f"{place}: the tags are numbers, read in the order of the model's labels "
            f"({', '.join(f'{tag} is {spelled[tag]}' for tag in shown)}, …); if their order "
            "is different, give it with `labels`"
        )
    return spelled


def all_alike(tag: str, source: Named, columns: tuple[str, str]) -> LabelError:
    """Return the error of a column with one tag for all words."""
    others = ", ".join(name for name in source.columns if name not in {"text", *columns})
    return LabelError(
        f"{source.name}, column {columns[1]!r}: every word has the label {tag!r}; "
        + (f"name another `label_column` ({others}), or " if others else "")
        + "give rows with other labels"
    )


def without_iob1(
    *parts: tuple[str, Sequence[list[str]]],
) -> list[Sequence[list[str]]]:
    """Return the tags of files, given with their names, in BIO2 if one of them is in IOB1.

    A file in which no entities touch may be in either.
    """
    found = [is_iob1(rows) for _, rows in parts]
    for (source, _), iob1 in zip(parts, found, strict=True):
        if iob1:
            tell(
                f"{source}: the tags are in IOB1, with B- only between touching entities; they "
                "are read as BIO2, with B- at each"
            )
    return [
        [as_bio2(tags) for tags in rows] if True in found and iob1 is not False else rows
        for (_, rows), iob1 in zip(parts, found, strict=True)
    ]
