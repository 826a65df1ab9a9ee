"""Entities of a text as spans, in the form that `tag` writes, read as words with a tag each.

Words are what a BERT tokenizer sees as such: runs of letters and digits, and each punctuation mark
and each Chinese character by itself. Tags are those of BIO2.
"""

import re
from typing import NamedTuple

from distilcli.errors import InputError
from distilcli.gold.cells import UnlabelledError, where
from distilcli.rows.lists import parsed
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_value
from distilcli.scores.entities import OUTSIDE
from distilcli.tasks.spec import TASKS
from distilcli.tasks.texts import text_at
from distilcli.tokenizer.characters import CHINESE, PUNCTUATION

ENTITIES = "entities"
"""The column of `tag`, which may have a prefix."""

_ALONE = f"{CHINESE.pattern}|{PUNCTUATION.pattern}"
_WORD = re.compile(rf"{_ALONE}|(?:(?!{_ALONE})\S)+")


class Span(NamedTuple):
    """An entity: `text[start:end]`."""

    start: int
    end: int
    label: str


def entity_column(source: RowSource, label_column: str | None) -> str | None:
    """Return the column with the entities of texts; None if rows have words of their own."""
    if source.format == "conll" or set(TASKS["tag"].text_columns) & set(source.columns):
        return None
    if label_column is None:
        return ENTITIES if ENTITIES in source.columns else None
    return label_column if label_column.endswith(ENTITIES) else None


def words_of_text(row: Row, text_column: str) -> list[str]:
    """Return the words of a text."""
    return [word[0] for word in _WORD.finditer(text_at(row, text_column))]


def tags_of_entities(row: Row, text_column: str, column: str) -> list[str]:
    """Return the tag of each word of a text, which is in an entity if a part of it is.

    Raises `UnlabelledError` for a cell without a value, `InputError` for anything but a
    list of entities of the text.
    """
    text = text_at(row, text_column)
    words = list(_WORD.finditer(text))
    tags = [OUTSIDE] * len(words)
    for entity in _entities(row, column, text):
        position = "B"
        for index, word in enumerate(words):
            if word.end() <= entity.start or word.start() >= entity.end:
                continue
            if tags[index] != OUTSIDE:
                raise InputError(
                    f"{where(row, column)}: two entities share the word {word[0]!r}, which can "
                    "belong to only one"
                )
            tags[index] = f"{position}-{entity.label}"
            position = "I"
    return tags


def _entities(row: Row, column: str, text: str) -> list[Span]:
    value = cell_value(row, column)
    if isinstance(value, str):
        value = parsed(value) if value.strip() else None
    if value is None:
        raise UnlabelledError(f"{where(row, column)}: no value; an empty list has no entities")
    if not isinstance(value, list):
        raise _no_entities(row, column)
    return sorted(_entity(row, column, text, item) for item in value)


def _entity(row: Row, column: str, text: str, item: object) -> Span:
    if not isinstance(item, dict) or not isinstance(item.get("label"), str) or not item["label"]:
        raise _no_entities(row, column)
    try:
        start, end = int(str(item.get("start"))), int(str(item.get("end")))
    except ValueError:
        raise _no_entities(row, column) from None
    if not 0 <= start < end <= len(text):
        raise InputError(
            f"{where(row, column)}: characters {start} to {end} are not in the text, which has "
            f"{len(text):,}"
        )
    said = item.get("text")
    if said is not None and said != text[start:end]:
        raise InputError(
            f"{where(row, column)}: characters {start} to {end} are {text[start:end]!r} and not "
            f"{said!r}; offsets count characters from 0"
        )
    return Span(start, end, item["label"])


def _no_entities(row: Row, column: str) -> InputError:
    return InputError(
        f"{where(row, column)}: not a list of entities with start, end and label, as distil tag "
        "writes them"
    )
