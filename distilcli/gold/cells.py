"""What is expected of a row, read from its own columns: one reader for each task.

A reader raises `InputError` that names the file, the line and the column of what is missing or
cannot be meant; that is `UnlabelledError` where the cell is empty.
"""

import difflib
import math
from collections.abc import Callable, Mapping, Sequence

from distilcli.errors import InputError, RowError
from distilcli.gold.choices import Solution, solution_of
from distilcli.rows.conll import Sentence
from distilcli.rows.lists import listed, parsed, words_of
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_text, cell_value
from distilcli.scores.entities import OUTSIDE
from distilcli.tasks.choose import Options

_LISTED = 10
_CUT = 60


class UnlabelledError(RowError):
    """A row whose cell with what is expected is empty: it can be left out."""


def label_of(
    column: str, *, labels: Sequence[str] | None, names: Mapping[str, str]
) -> Callable[[Row], str]:
    """Return the reader of one label; `names` says what labels of the data are called here.

    It must be one of `labels`, unless they are not known (None).
    """

    def expected_of(row: Row) -> str:
        return _checked(row, column, _text(row, column).strip(), labels, names)

    return expected_of


def labels_of(
    column: str, *, labels: Sequence[str] | None, names: Mapping[str, str], separator: str = ","
) -> Callable[[Row], list[str]]:
    """Return the reader of any number of labels: a list, or a cell with a sign between them."""

    def expected_of(row: Row) -> list[str]:
        found = listed(_value(row, column), separator)
        return [_checked(row, column, label, labels, names) for label in found]

    return expected_of


def number_of(column: str) -> Callable[[Row], float]:
    """Return the reader of a number."""

    def expected_of(row: Row) -> float:
        return finite(row, column, _text(row, column))

    return expected_of


def finite(row: Row, column: str, text: str) -> float:
    """Return the number that a cell holds; raise `InputError` where it is none."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{_place(row, column)}: {_shown(text)} is no number")
    return number


def answers_of(column: str) -> Callable[[Row], list[str]]:
    """Return the reader of the right answers; none if the question has no answer.

    A cell is SQuAD's list of objects with a `text`, a list of texts, an object with a list
    `text`, each also as JSON, or one answer as it stands; an empty one is no answer.
    """

    def expected_of(row: Row) -> list[str]:
        value = _value(row, column)
        if value is None:
            raise UnlabelledError(
                f"{_place(row, column)}: no answer is given; an empty list says there is none"
            )
        return [text for text, _ in answers(row, column, value)]

    return expected_of


def answers(row: Row, column: str, value: object) -> list[tuple[str, object]]:
    """Return the answers that a cell holds, and where each is said to begin, None where it is not.

    Raises `InputError` for what is neither an answer nor a list of them; `answers_of` has the
    forms.
    """
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        found = parsed(value)
        value = value if found is None else found
    if isinstance(value, dict) and isinstance(value.get("text"), list):
        starts = value.get("answer_start")
        texts = value["text"]
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
            f"{_place(row, column)}: is neither an answer nor a list of answers "
            '({"text": …, "answer_start": …})'
        )
    return pairs


def tags_of(column: str, *, words: str | None = None) -> Callable[[Row], list[str]]:
    """Return the reader of a label for each word: a list, also as JSON, or blanks between them.

    Where `words` names the column with the words, there must be as many of them.
    """

    def expected_of(row: Row) -> list[str]:
        value = _value(row, column)
        if value is None:
            raise UnlabelledError(f"{_place(row, column)}: is empty; every row needs labels")
        tags = words_of(value)
        if tags is None:
            raise InputError(f"{_place(row, column)}: is no list of labels, one a word")
        found = [tag or OUTSIDE for tag in tags]
        count = len(found)
        if isinstance(row, Sentence):
            count = len(row.words)
        elif words is not None:
            count = len(words_of(_value(row, words)) or found)
        if count != len(found):
            raise InputError(f"{_place(row, column)}: {len(found)} labels for {count} words")
        return found

    return expected_of


def choice_of(
    column: str, options_of: Callable[[Row], Options] | None
) -> Callable[[Row], Solution]:
    """Return the reader of what is said of the right option; see `solutions`.

    With `options_of` it must be one of the row's options.
    """

    def expected_of(row: Row) -> Solution:
        options = None if options_of is None else options_of(row)
        return solution_of(_text(row, column), options, place=_place(row, column))

    return expected_of


def nothing(row: Row) -> None:
    """Expect nothing of a row but that it can be read."""


def gold_column(
    source: RowSource, wanted: str | None, usual: Sequence[str], *, taken: Sequence[str] = ()
) -> str:
    """Return the column with what is expected; `taken` are those that hold something else.

    Raises `InputError` where there is none.
    """
    if wanted is not None:
        return source.find_column(wanted)
    if source.format == "conll":
        further = [name for name in source.columns[2:] if name not in taken]
        if not further:
            raise InputError(f"{source.name}: has words without the labels expected of them")
        return further[-1]
    by_lower = {name.lower(): name for name in reversed(source.columns) if name not in taken}
    found = next((by_lower[name] for name in usual if name in by_lower), None)
    if found is None:
        beside = f" beside {', '.join(map(repr, taken))}" if taken else ""
        raise InputError(
            f"{source.name}: has no column with what is expected{beside}; name it with "
            f"--label-column (columns: {', '.join(source.columns)})"
        )
    return found


def _checked(
    row: Row, column: str, label: str, labels: Sequence[str] | None, names: Mapping[str, str]
) -> str:
    label = names.get(label, label)
    if labels is None or label in labels:
        return label
    by_lower = {name.lower(): name for name in labels}
    near = difflib.get_close_matches(label.lower(), by_lower, n=1)
    hint = f"; did you mean {by_lower[near[0]]!r}?" if near else ""
    more = ", …" if len(labels) > _LISTED else ""
    raise InputError(
        f"{_place(row, column)}: the model has no label {_shown(label)}{hint} "
        f"(its labels: {', '.join(labels[:_LISTED])}{more}); say which it is with --map "
        f"{label[:_CUT]}=LABEL"
    )


def _text(row: Row, column: str) -> str:
    """Return the text of a cell that must have one."""
    _check(row)
    try:
        text = cell_text(row, column)
    except RowError as error:
        kind = UnlabelledError if cell_value(row, column) is None else InputError
        raise kind(f"{error}; every row needs one") from None
    if not text.strip():
        raise UnlabelledError(f"{_place(row, column)}: is empty; every row needs a value")
    return text


def _value(row: Row, column: str) -> object:
    _check(row)
    return cell_value(row, column)


def _check(row: Row) -> None:
    if row.error is not None:
        raise InputError(row.error)


def _place(row: Row, column: str) -> str:
    return f"{row.source}: line {row.line}, column {column!r}"


def _shown(text: str) -> str:
    return repr(text if len(text) <= _CUT else text[: _CUT - 1] + "…")
