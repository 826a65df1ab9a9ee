"""Gold labels read from the cells of a row: one reader for each kind, for training and evaluation.

A reader raises `InputError` with the file, the line and the column of a cell that cannot be read;
that is `UnlabelledError` if the cell is empty.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from distilcli.errors import InputError, RowError
from distilcli.gold.choices import Solution, solution_of
from distilcli.gold.labels import did_you_mean, some
from distilcli.rows.conll import Sentence
from distilcli.rows.lists import listed, parsed, words_of
from distilcli.rows.row import Row, cell_text, cell_value
from distilcli.tasks.choose import Options

Gold = TypeVar("Gold")
Reader = Callable[[Row], Gold]

SEPARATOR = ","
"""What separates the labels of a cell that may have several."""

_MAX_SHOWN = 60


class UnlabelledError(RowError):
    """A row without a gold label: it can be left out."""


def if_any(column: str, read: Reader[Gold]) -> Reader[Gold | None]:
    """Return the reader that gives None for a cell that is missing, null or empty."""

    def gold_of(row: Row) -> Gold | None:
        if row.error is None and cell_value(row, column) is None:
            return None
        try:
            return read(row)
        except UnlabelledError:
            return None

    return gold_of


def label_of(column: str) -> Reader[str]:
    """Return the reader of one label."""
    return lambda row: _text(row, column).strip()


def labels_of(column: str, *, separator: str | None = None) -> Reader[list[str]]:
    """Return the reader of any number of labels, each once: a list, also as JSON, or a text.

    The labels of a text are separated by `separator`. A cell without a value has no labels.
    """

    def gold_of(row: Row) -> list[str]:
        value = _value(row, column)
        items = value if isinstance(value, list) else [value or ""]
        if not all(isinstance(item, str) for item in items):
            raise InputError(f"{_where(row, column)}: not a list of labels")
        return list(dict.fromkeys(listed(value, separator or SEPARATOR)))

    return gold_of


def number_of(column: str) -> Reader[float]:
    """Return the reader of a finite number."""

    def gold_of(row: Row) -> float:
        text = _text(row, column)
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise InputError(f"{_where(row, column)}: {_shown(text)} is not a number")
        return number

    return gold_of


def answers_of(column: str) -> Reader[list[str]]:
    """Return the reader of the gold answers; none if the question has no answer.

    A cell is SQuAD's list of objects with a `text`, a list of texts, an object with a list `text`
    (each also as JSON) or one answer; an empty one says that there is no answer.
    """
    return lambda row: [text for text, _ in answers(row, column)]


def answers(row: Row, column: str) -> list[tuple[str, object]]:
    """Return the answers in a cell, as `answers_of`, and where each is said to begin, or None."""
    value = _value(row, column)
    if value is None:
        raise UnlabelledError(
            f"{_where(row, column)}: no answer is given; an empty list says that there is none"
        )
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        found = parsed(value)
        value = value if found is None else found
    if isinstance(value, dict) and isinstance(value.get("text"), list):
        texts, starts = value["text"], value.get("answer_start")
        if not isinstance(starts, list) or len(starts) != len(texts):
            starts = [None] * len(texts)
        pairs = list(zip(texts, starts, strict=True))
    elif isinstance(value, list):
        pairs = [
            (item.get("text"), item.get("answer_start")) if isinstance(item, dict) else (item, None)
            for item in value
        ]
    else:
        pairs = [] if isinstance(value, str) and not value.strip() else [(value, None)]
    if not all(isinstance(text, str) for text, _ in pairs):
        raise InputError(
            f"{_where(row, column)}: neither an answer nor a list of answers "
            '({"text": …, "answer_start": …})'
        )
    return pairs


def words_in(row: Row, column: str) -> list[str]:
    """Return the words of a sentence: a list, also as JSON, or a text split at blanks."""
    words = row.words if isinstance(row, Sentence) else words_of(_value(row, column))
    if words is None or None in words:
        raise InputError(f"{_where(row, column)}: not a list of words")
    return words  # type: ignore[return-value]


def tags_of(
    column: str, *, words_column: str | None = None, missing: str | None = None
) -> Reader[list[str]]:
    """Return the reader of a tag for each word: a list, also as JSON, or a text split at blanks.

    With `words_column` there must be as many words. A word without a tag gets the tag `missing`;
    if that is None, every word needs one.
    """

    def gold_of(row: Row) -> list[str]:
        value = _value(row, column)
        if value is None:
            raise UnlabelledError(f"{_where(row, column)}: no value; every row needs tags")
        tags = words_of(value)
        if tags is None:
            raise InputError(f"{_where(row, column)}: not a list of tags, one for each word")
        if isinstance(row, Sentence) or words_column is not None:
            count = len(words_in(row, words_column or column))
            if count and value == "":
                raise UnlabelledError(f"{_where(row, column)}: no value; every row needs tags")
            if count != len(tags):
                raise InputError(f"{_where(row, column)}: {len(tags)} tags for {count} words")
        if missing is None and not all(tags):
            raise UnlabelledError(f"{_where(row, column)}: a word has no tag; each needs one")
        return [tag or missing or "" for tag in tags]

    return gold_of


def choice_of(column: str, options_of: Callable[[Row], Options] | None) -> Reader[Solution]:
    """Return the reader of what a row says of the right option; see `choices`.

    With `options_of` it must be one of the row's options.
    """

    def gold_of(row: Row) -> Solution:
        options = None if options_of is None else options_of(row)
        return solution_of(_text(row, column), options, place=_where(row, column))

    return gold_of


def nothing(row: Row) -> None:
    """Read no gold label: the task needs none."""


def checked_label(
    row: Row, column: str, label: str, labels: Sequence[str] | None, names: Mapping[str, str]
) -> str:
    """Return the label, or the one that `names` calls it; `InputError` if it is not in `labels`."""
    label = names.get(label, label)
    if labels is None or label in labels:
        return label
    raise InputError(
        f"{_where(row, column)}: the model has no label {_shown(label)}"
        f"{did_you_mean(label, labels)} (its labels: {some(labels)}); map it with `label_map` "
        f"{label[:_MAX_SHOWN]}=LABEL"
    )


def _text(row: Row, column: str) -> str:
    """Return the text of a cell that must have one."""
    value = _value(row, column)
    if value is None or (isinstance(value, str) and not value.strip()):
        raise UnlabelledError(f"{_where(row, column)}: no value; every row needs one")
    return cell_text(row, column)


def _value(row: Row, column: str) -> object:
    if row.error is not None:
        raise InputError(row.error)
    return cell_value(row, column)


def _where(row: Row, column: str) -> str:
    return f"{row.source}: line {row.line}, column {column!r}"


def _shown(text: str) -> str:
    return repr(text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…")
