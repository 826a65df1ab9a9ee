"""Gold labels read from the cells of a row: one reader for each kind, for training and evaluation.

A reader raises `InputError` with the file, the line and the column of a cell that cannot be read;
that is `UnlabelledError` if the cell is empty.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from distilcli.errors import InputError, RowError
from distilcli.gold.choices import Solution, solution_of
from distilcli.gold.columns import Columns
from distilcli.gold.labels import did_you_mean, named_number, some
from distilcli.gold.multilabel import SEPARATOR, LabelCell, separated
from distilcli.rows.conll import Sentence
from distilcli.rows.lists import BRACKETS, parsed, words_of
from distilcli.rows.row import Row, cell_text, cell_value, is_blank
from distilcli.tasks.choose import Options

Gold = TypeVar("Gold")
Reader = Callable[[Row], Gold]

_BITS = {"0": False, "0.0": False, "false": False, "1": True, "1.0": True, "true": True}
_MAX_SHOWN = 60
_QUOTED_IN_BRACKETS = re.compile(r"[\[({]\s*['\"]")


class UnlabelledError(RowError):
    """A row without a gold label: it can be left out."""


def if_any(column: str, read: Reader[Gold]) -> Reader[Gold | None]:
    """Return the reader that gives None for a cell that is missing, null or empty."""

    def gold_of(row: Row) -> Gold | None:
        if is_missing(row, column):
            return None
        try:
            return read(row)
        except UnlabelledError:
            return None

    return gold_of


def is_missing(row: Row, column: str) -> bool:
    """Whether a cell has no label: none at all, null or NaN."""
    value = cell_value(row, column)
    is_nan = isinstance(value, str) and value.strip().lower() == "nan"
    return row.error is None and (value is None or is_nan)


def label_of(column: str) -> Reader[str]:
    """Return the reader of one label."""
    return partial(_label, column=column)


def label_from(column: str, columns: Columns) -> Reader[str]:
    """Return the reader of one label: of a column, by number, or the column of several that is 1.

    `columns` says which of these.
    """
    if columns.label_columns:
        return partial(_only_one, columns=columns.label_columns)
    read = label_of(column)
    if not columns.labels:
        return read
    return lambda row: named_number(read(row), columns.labels, place=where(row, column))


def labels_of(column: str) -> Reader[list[str]]:
    """Return the reader of any number of labels, each once: a list, or a text with commas.

    A cell without a value has no labels.
    """

    def gold_of(row: Row) -> list[str]:
        found = _label_cell(row, column).written
        return list(dict.fromkeys(separated(found, SEPARATOR) if isinstance(found, str) else found))

    return gold_of


def label_cell_of(column: str, columns: Columns) -> Reader[LabelCell]:
    """Return the reader of any number of labels as they are written, for `label_lists`."""
    if columns.label_columns:
        return partial(_those_of, columns=columns.label_columns)
    return partial(_label_cell, column=column)


def _label_cell(row: Row, column: str) -> LabelCell:
    value = None if is_missing(row, column) else _value(row, column)
    if isinstance(value, str) and (text := value.strip()).startswith(BRACKETS):
        found = parsed(text)
        if isinstance(found, list):
            value = found
        elif _QUOTED_IN_BRACKETS.match(text) and not isinstance(found, str):
            raise _no_list(row, column)  # cut off, or the labels of an object
    if isinstance(value, list) and all(isinstance(item, bool) for item in value):
        value = [str(int(item)) for item in value]
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return LabelCell(value, where(row, column))
    if value is not None and not isinstance(value, str):
        raise _no_list(row, column)
    return LabelCell(value or "", where(row, column))


def _no_list(row: Row, column: str) -> InputError:
    return InputError(f"{where(row, column)}: not a list of labels, such as a,b or ['a', 'b']")


def _those_of(row: Row, columns: Sequence[str]) -> LabelCell:
    """Return the columns that are 1, as labels."""
    return LabelCell(
        [name for name in columns if _bit(row, name)], f"{row.source}: line {row.line}"
    )


def _only_one(row: Row, columns: Sequence[str]) -> str:
    cell = _those_of(row, columns)
    if len(cell.written) != 1:
        raise InputError(
            f"{cell.place}: {len(cell.written)} of the `label_columns` are 1, and must be one; "
            "rows with any number of labels are for the multilabel task"
        )
    return cell.written[0]


def _bit(row: Row, column: str) -> bool:
    text = _label(row, column)
    if text.lower() not in _BITS:
        raise InputError(f"{where(row, column)}: {_shown(text)} is neither 0 nor 1")
    return _BITS[text.lower()]


def number_of(column: str) -> Reader[float]:
    """Return the reader of a finite number."""

    def gold_of(row: Row) -> float:
        text = _label(row, column)
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise InputError(f"{where(row, column)}: {_shown(text)} is not a number")
        return number

    return gold_of


def answers_of(column: str) -> Reader[list[str]]:
    """Return the reader of the gold answers; none if the question has no answer.

    A cell is SQuAD's list of objects with a `text`, a list of texts, an object with a list `text`
    (each also as JSON) or one answer; an empty one means no answer.
    """
    return lambda row: [text for text, _ in answers(row, column)]


def answers(row: Row, column: str) -> list[tuple[str, object]]:
    """Return the answers in a cell, as `answers_of`, and where each is said to begin, or None."""
    value = _value(row, column)
    if value is None:
        raise UnlabelledError(
            f"{where(row, column)}: no answer is given; an empty list says that there is none"
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
            f"{where(row, column)}: neither an answer nor a list of answers "
            '({"text": …, "answer_start": …})'
        )
    return pairs


def words_in(row: Row, column: str) -> list[str]:
    """Return the words of a sentence: a list, also as JSON, or a text split at blanks."""
    words = row.words if isinstance(row, Sentence) else words_of(_value(row, column))
    if words is None or None in words:
        raise InputError(f"{where(row, column)}: not a list of words")
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
            raise UnlabelledError(f"{where(row, column)}: no value; every row needs tags")
        tags = words_of(value)
        if tags is None:
            raise InputError(f"{where(row, column)}: not a list of tags, one for each word")
        if isinstance(row, Sentence) or words_column is not None:
            count = len(words_in(row, words_column or column))
            if count and value == "":
                raise UnlabelledError(f"{where(row, column)}: no value; every row needs tags")
            if count != len(tags):
                raise InputError(f"{where(row, column)}: {len(tags)} tags for {count} words")
        if missing is None and not all(tags):
            raise UnlabelledError(f"{where(row, column)}: a word has no tag; each needs one")
        return [tag or missing or "" for tag in tags]

    return gold_of


def choice_of(column: str, options_of: Callable[[Row], Options] | None) -> Reader[Solution]:
    """Return the reader of what a row says of the right option; see `choices`.

    With `options_of` it must be one of the row's options.
    """

    def gold_of(row: Row) -> Solution:
        options = None if options_of is None else options_of(row)
        return solution_of(_text(row, column), options, place=where(row, column))

    return gold_of


def nothing(row: Row) -> None:
    """Read no gold label: the task needs none."""


def checked_label(
    place: str, label: str, labels: Sequence[str] | None, names: Mapping[str, str]
) -> str:
    """Return the label, or the one that `names` calls it; `InputError` if it is not in `labels`."""
    label = names.get(label, label)
    if labels is None or label in labels:
        return label
    raise InputError(
        f"{place}: the model has no label {_shown(label)}"
        f"{did_you_mean(label, labels)} (its labels: {some(labels)}); map it with `label_map` "
        f"{label[:_MAX_SHOWN]}=LABEL"
    )


def _label(row: Row, column: str) -> str:
    if is_missing(row, column):
        raise UnlabelledError(f"{where(row, column)}: no value; every row needs one")
    if _is_list(_value(row, column)):
        raise InputError(
            f"{where(row, column)}: a list is not one label; rows with several are for the "
            "multilabel task"
        )
    return _text(row, column).strip()


def _is_list(value: object) -> bool:
    """Whether a cell holds a list of labels or a vector of bits; `(18, 25)` may be one label."""
    if not isinstance(value, str):
        return isinstance(value, list)
    text = value.strip()
    found = parsed(text) if text.startswith(BRACKETS) else None
    if not isinstance(found, list):
        return False
    return bool(_QUOTED_IN_BRACKETS.match(text)) or all(str(bit).lower() in _BITS for bit in found)


def _text(row: Row, column: str) -> str:
    """Return the text of a cell that must have one."""
    value = _value(row, column)
    if value is None or (isinstance(value, str) and is_blank(value)):
        raise UnlabelledError(f"{where(row, column)}: no value; every row needs one")
    return cell_text(row, column)


def _value(row: Row, column: str) -> object:
    if row.error is not None:
        raise InputError(row.error)
    return cell_value(row, column)


def where(row: Row, column: str) -> str:
    """Return the place of a cell, for messages."""
    return f"{row.source}: line {row.line}, column {column!r}"


def _shown(text: str) -> str:
    return repr(text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…")
