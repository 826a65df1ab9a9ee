"""The rows of a lesson in plain words, whatever its task: for checks, counts and cards."""

from collections.abc import Sequence
from typing import Any

from distilcli.scores.entities import OUTSIDE, parse_tag
from distilcli.training.checks import CheckedRows
from distilcli.training.datasets.base import Place
from distilcli.training.datasets.choose import SolvedProblem
from distilcli.training.datasets.classify import UNLABELLED, Examples
from distilcli.training.datasets.embed import TextPair
from distilcli.training.datasets.mlm import PlainTexts
from distilcli.training.datasets.qa import Question
from distilcli.training.datasets.tag import TaggedSentences

NAMES = ("train", "valid")


def rows_of(part: Any, name: str) -> CheckedRows:
    """Return the rows to learn from, or to validate on, of a lesson."""
    match part:
        case Examples():
            return CheckedRows(
                name=name,
                texts=part.texts,
                pairs=part.pairs,
                labels=_names_of(part),
                known=part.label_names,
                places=part.places,
            )
        case TaggedSentences():
            texts = [" ".join(words) for words in part.words]
            return CheckedRows(
                name=name,
                texts=texts,
                labels=_types_of(part),
                known=_known_types(part),
                places=part.places,
            )
        case [Question() | TextPair() | SolvedProblem(), *_]:
            both = [_texts_of(each) for each in part]
            return CheckedRows(
                name=name,
                texts=[first for first, _ in both],
                pairs=[second for _, second in both],
                places=_places_of(part),
            )
        case PlainTexts():
            return CheckedRows(name=name, texts=part.texts, places=part.places)
        case _:  # an empty list, of whatever it is
            return CheckedRows(name=name, texts=[])


def _texts_of(row: Question | TextPair | SolvedProblem) -> tuple[str, str]:
    """Return the two texts of a row; options are one text."""
    match row:
        case Question():
            return row.pair
        case TextPair():
            # A text without a second one lacks nothing: it stands for both.
            return row.first, row.first if row.second is None else row.second
        case SolvedProblem():
            return row.prompt, "\n".join(option or "" for option in row.options)


def _places_of(part: Sequence[Question | TextPair | SolvedProblem]) -> list[Place] | None:
    """Return where rows stand; None where it is not known of all."""
    places = [each.place for each in part if each.place is not None]
    return places if len(places) == len(part) else None


def _names_of(rows: Examples[Any]) -> list[tuple[str, ...]] | None:
    """Return the labels of each row; None where they are numbers."""
    if not rows.label_names:
        return None
    names = rows.label_names

    def named(label: Any) -> tuple[str, ...]:
        numbers: Sequence[int] = label if isinstance(label, tuple) else (label,)
        return tuple(names[number] for number in numbers if number != UNLABELLED)

    return [named(label) for label in rows.labels]


def _types_of(rows: TaggedSentences) -> list[tuple[str, ...]]:
    """Return the types of the entities in each sentence."""
    types = _known_types(rows)
    return [
        tuple(sorted({types[label] for label in labels if label != UNLABELLED} - {OUTSIDE}))
        for labels in rows.labels
    ]


def _known_types(rows: TaggedSentences) -> list[str]:
    """Return the type of each label."""
    return [parse_tag(name).type or OUTSIDE for name in rows.label_names]
