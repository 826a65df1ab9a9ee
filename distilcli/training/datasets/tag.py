"""Sentences whose words have labels: CoNLL files, or rows with words and tags.

Those are lists, also as JSON in a cell, or texts with blanks between them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from distilcli.errors import InputError
from distilcli.gold.columns import TAG_COLUMNS, WORD_COLUMNS
from distilcli.rows.conll import Sentence
from distilcli.rows.lists import words_of
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_value
from distilcli.training.datasets.classify import UNLABELLED, numbered
from distilcli.training.datasets.columns import Columns, find_label_column
from distilcli.training.datasets.reading import Place, place_of
from distilcli.training.datasets.split import set_aside


@dataclass(frozen=True, slots=True)
class TaggedSentences:
    """Sentences as lists of words, with the index of each word's label, and where they stand."""

    words: list[list[str]]
    labels: list[list[int]]
    label_names: tuple[str, ...]
    places: Sequence[Place] | None = field(default=None, compare=False)

    @property
    def count(self) -> int:
        """How many sentences have words."""
        return sum(map(bool, self.words))

    def rows(self) -> Iterable[object]:
        """Return each sentence with its labels."""
        return zip(self.words, self.labels, strict=True)


def read_tagged(
    train: RowSource,
    valid: RowSource | None,
    *,
    columns: Columns,
    share: float,
    seed: int,
    known: Sequence[str],
    taught: bool = False,
) -> tuple[TaggedSentences, TaggedSentences]:
    """Read sentences to learn from and sentences to validate on.

    Without `valid`, a `share` of the sentences is set aside. `known` are the labels of the model
    to start from; where the lesson is `taught`, they are the teacher's, and words to learn from
    may have no label. Raises `InputError` for rows that cannot be learned from.
    """
    names_of = _columns(train, columns, may_lack_labels=taught)
    rows = _read(train, names_of, may_lack_labels=taught)
    names = (
        tuple(known)
        if taught and known
        else _label_names(rows, known=known, source=train, columns=names_of)
    )
    if valid is None:
        rows, aside = set_aside(rows, share=share, seed=seed, is_labelled=_is_labelled)
    else:
        aside = _read(valid, _columns(valid, columns))
    return (
        _indexed(rows, names, source=train.name, taught=taught),
        _indexed(aside, names, source=(valid or train).name, taught=taught),
    )


Tagged = tuple[list[str], list[str], Place]


def _columns(
    source: RowSource, wanted: Columns, *, may_lack_labels: bool = False
) -> tuple[str, str]:
    """Return the columns of words and of labels."""
    if source.format == "conll":
        words, tags = "tokens", wanted.label or source.columns[-1]
        if tags in {"text", "tokens"}:
            if not may_lack_labels:
                raise InputError(f"{source.name}: has one column, words without labels")
            tags = TAG_COLUMNS[0]
        return words, tags
    words = source.usual_column(*WORD_COLUMNS, option="--text-column", wanted=wanted.text)
    if source.format == "txt":
        raise InputError(
            f"{source.name}: is read as plain text, which has no labels of words; "
            "for a word and its label a line give --input-format conll"
        )
    tags = find_label_column(source, TAG_COLUMNS, wanted.label, may_be_missing=may_lack_labels)
    return words, tags


def _read(
    source: RowSource, columns: tuple[str, str], *, may_lack_labels: bool = False
) -> list[Tagged]:
    rows = [
        _tagged(row, *columns, may_lack_labels=may_lack_labels)
        for row in source
        if not _is_remainder(row)
    ]
    if not any(words for words, _, _ in rows):
        raise InputError(f"{source.name}: has no sentences to learn from")
    return rows


def _is_labelled(row: Tagged) -> bool:
    words, labels, _ = row
    return bool(words) and all(labels)


def _is_remainder(row: Row) -> bool:
    """Say whether a row only holds what follows the last sentence of a file."""
    return isinstance(row, Sentence) and row.error is None and not row.words


def _tagged(row: Row, words: str, tags: str, *, may_lack_labels: bool) -> Tagged:
    if row.error is not None:
        raise InputError(row.error)
    place = f"{row.source}: line {row.line}"
    sentence, labels = words_of(cell_value(row, words)), cell_value(row, tags)
    if sentence is None or None in sentence:
        raise InputError(f"{place}: the value at {words!r} is no list of words")
    is_missing = may_lack_labels and labels in (None, "")
    found = [None] * len(sentence) if is_missing else words_of(labels)
    if found is None:
        raise InputError(f"{place}: the value at {tags!r} is no list of labels, one a word")
    if len(sentence) != len(found):
        raise InputError(f"{place}: has {len(sentence)} words and {len(found)} labels")
    if not may_lack_labels and not all(found):
        raise InputError(f"{place}, column {tags!r}: a word has no label; each needs one")
    return sentence, [label or "" for label in found], place_of(row)  # type: ignore[return-value]


def _label_names(
    rows: Sequence[Tagged], *, known: Sequence[str], source: RowSource, columns: tuple[str, str]
) -> tuple[str, ...]:
    """Return the labels: those of the model if they are the same, else O and the others sorted."""
    names = {tag for _, tags, _ in rows for tag in tags} - {""}
    if len(names) < 2:  # noqa: PLR2004
        others = ", ".join(name for name in source.columns if name not in {"text", *columns})
        raise InputError(
            f"{source.name}, column {columns[1]!r}: every word has the label {''.join(names)!r}; "
            + (f"name another --label-column ({others}), or " if others else "")
            + "give rows with others"
        )
    if names == set(known):
        return tuple(known)
    return tuple(sorted(names, key=lambda name: (name != "O", name.partition("-")[2], name)))


def _indexed(
    rows: Sequence[Tagged], names: Sequence[str], *, source: str, taught: bool
) -> TaggedSentences:
    used = {tag for _, tags, _ in rows for tag in tags} - ({""} if taught else set())
    number = numbered(names, used, source=source, taught=taught) | {"": UNLABELLED}
    return TaggedSentences(
        [words for words, _, _ in rows],
        [[number[tag] for tag in tags] for _, tags, _ in rows],
        tuple(names),
        [place for _, _, place in rows],
    )
