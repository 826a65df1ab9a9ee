"""The tags of a file in the usual spelling, whatever their scheme and spelling there."""

from collections import Counter
from collections.abc import Sequence

from distilcli.errors import tell
from distilcli.gold.labels import LabelError, named_number
from distilcli.rows.reader import RowSource
from distilcli.scores.entities import OUTSIDE, parse_tag
from distilcli.scores.tag_spelling import as_bio2, is_iob1, usual_spellings

Tags = Sequence[str]

_SHOWN = 3
_MIN_WORDS = 20
"""In fewer there need be none that is outside."""


def usual_tags(
    rows: Sequence[Tags], *, names: Sequence[str], source: RowSource, columns: tuple[str, str]
) -> list[list[str]]:
    """Return the tags of sentences in the usual spelling; an empty one says nothing of its word.

    `names` are those of tags that are numbers, in order; `columns` hold the words and the tags.
    What was found out is told. Raises `LabelError` for numbers without names, and if every word
    has the same tag, which is neither `O` nor one of `names`.
    """
    counts = Counter(tag for tags in rows for tag in tags if tag)
    place = f"{source.name}, column {columns[1]!r}"
    if len(counts) == 1 and not counts.keys() & {OUTSIDE, *names} and counts.total() > 1:
        raise all_alike(next(iter(counts)), source, columns)
    if counts and all(tag.removeprefix("-").isdecimal() for tag in counts):
        if not names:
            raise LabelError(
                f"{place}: the tags are numbers; name them in order with `labels` O,B-PER,…, or "
                "name another `label_column`"
            )
        spelled = {tag: named_number(tag, names, place=place) for tag in counts}
        read = ", ".join(f"{tag} is read as {spelled[tag]}" for tag in sorted(counts)[:_SHOWN])
        tell(f"{place}: the tags are numbers: {read}; name them in order with `labels`")
    else:
        spelled = usual_spellings(counts)
        if odd := next((tag for tag, usual in spelled.items() if tag != usual), None):
            tell(f"{place}: {odd!r} is read as {spelled[odd]!r}, and others like it")
    _tell_of_outside(place, Counter({spelled[tag]: count for tag, count in counts.items()}))
    spelled[""] = ""
    return [[spelled[tag] for tag in tags] for tags in rows]


def all_alike(tag: str, source: RowSource, columns: tuple[str, str]) -> LabelError:
    """Return the error of a column with one tag for all words."""
    others = ", ".join(name for name in source.columns if name not in {"text", *columns})
    return LabelError(
        f"{source.name}, column {columns[1]!r}: every word has the label {tag!r}; "
        + (f"name another `label_column` ({others}), or " if others else "")
        + "give rows with others"
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


def _tell_of_outside(place: str, counts: Counter[str]) -> None:
    """Warn if no tag is outside all entities, unless the tags are none of entities."""
    if counts.total() < _MIN_WORDS or any(parse_tag(tag).type is None for tag in counts):
        return
    (most, count), *_ = counts.most_common()
    if 2 * count > counts.total() or any(tag.startswith("B-") for tag in counts):
        tell(
            f"{place}: no label is outside ({OUTSIDE}), so that every word is in an entity; the "
            f"most frequent is {most!r}"
        )
