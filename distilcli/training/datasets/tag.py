"""Sentences with a tag for each word: CoNLL, rows with two lists, or texts with entities."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from distilcli.errors import InputError, tell
from distilcli.gold import cells
from distilcli.gold.columns import gold_column, text_column
from distilcli.gold.entities import entity_column, tags_of_entities, words_of_text
from distilcli.gold.labels import label_indices, ordered, some
from distilcli.gold.tags import all_alike, usual_tags, without_iob1
from distilcli.rows.conll import Sentence, no_words
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, is_blank
from distilcli.scores.entities import parse_tag
from distilcli.scores.tag_spelling import are_word_classes, usual_spellings
from distilcli.tasks.spec import TASKS
from distilcli.training.datasets.base import (
    DatasetOptions,
    Place,
    place_of,
    read_each,
    refuse_empty,
    tell_left_out,
)
from distilcli.training.datasets.classify import UNLABELLED
from distilcli.training.datasets.split import split
from distilcli.training.mixture import Mixture, TrainingRows, read_all


@dataclass(frozen=True, slots=True)
class TaggedSentences:
    """Sentences as lists of words, the index of each word's label, and their places in files.

    `unmarked` are the labels that the file of each sentence never has, in a mixture of files: what
    is outside there may be one of them.
    """

    words: list[list[str]]
    labels: list[list[int]]
    label_names: tuple[str, ...]
    places: Sequence[Place] | None = field(default=None, compare=False)
    unmarked: Sequence[tuple[int, ...]] | None = None

    def rows(self) -> Iterable[object]:
        """Return each sentence with its labels."""
        return zip(self.words, self.labels, strict=True)


Tagged = tuple[list[str], list[str], Place]

_MAX_TAGS = 10
"""In a few sentences so many tags may be more than there are different words."""


def read_dataset(
    train: TrainingRows, valid: RowSource | None, options: DatasetOptions
) -> tuple[TaggedSentences, TaggedSentences]:
    """Read training and validation sentences; without `valid` a share is set aside.

    The words of a model that is taught may lack tags. Raises `InputError` for rows that cannot be
    learned from.
    """
    refuse_empty(options, "a sentence without words has no tags")
    columns = ("text", "tags")
    if isinstance(train, Mixture):
        rows = read_all(train, options, _read_alone)
        aside = [] if valid is None else _read_alone(valid, replace(options, taught=False))
    elif valid is None:
        columns = _columns(train, options, taught=options.taught)
        rows = _read_alone(train, options)
    else:
        columns = _columns(train, options, taught=options.taught)
        rows = _read(train, columns, options, taught=options.taught)
        rows, aside = _in_bio2(
            (train, rows), (valid, _read(valid, _columns(valid, options), options))
        )
    names = tuple(options.known) if options.taught else ()
    names = names or _label_names(rows, options, train, columns)
    if valid is None:
        rows, aside = split(rows, share=options.share, seed=options.seed, stratum_of=_stratum)
    if isinstance(train, Mixture):
        unmarked = _unmarked([*rows, *aside] if valid is None else rows, names)
        return (
            replace(
                _indexed(rows, names, source=train.name, taught=options.taught),
                unmarked=[unmarked[file] for _, _, (file, _) in rows],
            ),
            replace(
                _indexed(aside, names, source=(valid or train).name, taught=options.taught),
                unmarked=[unmarked.get(file, ()) for _, _, (file, _) in aside],
            ),
        )
    return (
        _indexed(rows, names, source=train.name, taught=options.taught),
        _indexed(aside, names, source=(valid or train).name, taught=options.taught),
    )


def _read_alone(source: RowSource, options: DatasetOptions) -> list[Tagged]:
    """Read the sentences of a file whose tags are in a scheme of its own."""
    columns = _columns(source, options, taught=options.taught)
    (rows,) = _in_bio2((source, _read(source, columns, options, taught=options.taught)))
    return rows


def _unmarked(rows: Sequence[Tagged], names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Return the labels, by their indices, of types that a file never has; tell the types."""
    types = [parse_tag(name).type for name in names]
    of_file: dict[str, set[str | None]] = {}
    for _, tags, (file, _) in rows:
        of_file.setdefault(file, {None}).update(parse_tag(tag).type for tag in tags if tag)
    found = {}
    for file, marked in of_file.items():
        found[file] = tuple(index for index, type_ in enumerate(types) if type_ not in marked)
        if missing := sorted({str(types[index]) for index in found[file]}):
            tell(f"{file}: marks no {some(missing)}; what is outside there may be one of these")
    return found


def _columns(
    source: RowSource, options: DatasetOptions, *, taught: bool = False
) -> tuple[str, str]:
    """Return the columns of words and of tags, or of texts and their entities."""
    task = TASKS["tag"]
    if entities := entity_column(source, options.columns.label_column):
        return source.text_column, entities
    words = text_column(source, task, options.columns)
    if source.format == "txt":
        raise InputError(
            f"{source.name}: plain text has no tags; for a word and its tag on each line give "
            "`input_format` conll"
        )
    tags = gold_column(source, task, options.columns, taken=[words], may_be_missing=taught)
    return words, tags


def _read(
    source: RowSource, columns: tuple[str, str], options: DatasetOptions, *, taught: bool = False
) -> list[Tagged]:
    words_column, tags_column = columns
    words_of: cells.Reader[list[str]] = partial(cells.words_in, column=words_column)
    tags_of = cells.tags_of(tags_column, words_column=words_column, missing="" if taught else None)
    if entity_column(source, options.columns.label_column):
        words_of = partial(words_of_text, text_column=words_column)
        tags_of = partial(tags_of_entities, text_column=words_column, column=tags_column)
    read_tags = cells.if_any(tags_column, tags_of) if taught else tags_of
    left_out: list[int] = []

    def tagged(row: Row) -> Tagged | None:
        words = words_of(row)
        if all(map(is_blank, words)):
            # What follows the last sentence of a file is no row of it.
            left_out.extend([] if isinstance(row, Sentence) and not words else [row.line])
            return None
        tags = read_tags(row)
        return words, [""] * len(words) if tags is None else tags, place_of(row)

    found = read_each(source, tagged, what="sentences")
    rows = [row for row in found if row is not None]
    if not rows:
        raise InputError(f"{source.name}: has no sentences to learn from")
    tell_left_out(source, left_out)
    _check_words(rows, source, columns)
    tags = usual_tags(
        [tags for _, tags, _ in rows],
        names=options.columns.labels,
        source=source,
        columns=columns,
        known=options.known if options.taught else (),
    )
    return [(words, found, place) for (words, _, place), found in zip(rows, tags, strict=True)]


def _check_words(rows: Sequence[Tagged], source: RowSource, columns: tuple[str, str]) -> None:
    """Raise `InputError` if what should be words are numbers or tags, or the two are swapped."""
    counts = Counter(word for words, _, _ in rows for word in words)
    labels = {tag for _, tags, _ in rows for tag in tags}
    kind = no_words([*counts.elements()])
    if kind is None and len(counts) > 1 and are_word_classes(counts):
        kind = "nothing but parts of speech"
    if kind is not None:
        fault = f"the words in {columns[0]!r} are {kind}"
    elif len(labels) > max(_MAX_TAGS, len(counts)):
        fault = (
            f"column {columns[1]!r} has {len(labels):,} tags for {len(counts):,} different words"
        )
    else:
        return
    raise InputError(
        f"{source.name}: {fault}; name the columns of both with "
        + ("`word_column`" if source.format == "conll" else "`text_column`")
        + " and `label_column`"
    )


def _in_bio2(*parts: tuple[RowSource, list[Tagged]]) -> list[list[Tagged]]:
    """Return the sentences of each file, in BIO2 if they were in IOB1."""
    found = without_iob1(*((source.name, [tags for _, tags, _ in rows]) for source, rows in parts))
    return [
        [(words, list(tags), place) for (words, _, place), tags in zip(rows, tagged, strict=True)]
        for (_, rows), tagged in zip(parts, found, strict=True)
    ]


def _label_names(
    rows: Sequence[Tagged], options: DatasetOptions, source: TrainingRows, columns: tuple[str, str]
) -> tuple[str, ...]:
    """Return the labels: those that were named, else O and the others by their types."""
    names = {tag for _, tags, _ in rows for tag in tags} - {""}
    if len(names) < 2:  # noqa: PLR2004
        raise all_alike("".join(names), source, columns)
    by_type = sorted(names, key=lambda name: (name != "O", name.partition("-")[2], name))
    given = list(usual_spellings(options.columns.labels).values())
    return ordered(names, options.known, given=given or by_type)


def _stratum(row: Tagged) -> bool | None:
    _, tags, _ = row
    return True if all(tags) else None


def _indexed(
    rows: Sequence[Tagged], names: Sequence[str], *, source: str, taught: bool
) -> TaggedSentences:
    used = {tag for _, tags, _ in rows for tag in tags} - {""}
    index = {**label_indices(names, used, source=source, taught=taught), "": UNLABELLED}
    return TaggedSentences(
        [words for words, _, _ in rows],
        [[index[tag] for tag in tags] for _, tags, _ in rows],
        tuple(names),
        [place for _, _, place in rows],
    )
