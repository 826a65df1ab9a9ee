"""SQuAD JSON: articles of paragraphs of questions, to a row for each question.

    {"data": [{"title": …, "paragraphs": [{"context": …, "qas": [{"id": …, "question": …}]}]}]}

The whole text is looked through first, so that a broken file is found before any work is done;
rows are then made article by article, so that no more than one of them is held as objects.
"""

import json
import re
from collections.abc import Generator, Iterator, Sequence
from typing import Any

from distilcli.errors import InputError
from distilcli.rows.jsonl import DECODER
from distilcli.rows.row import Row

COLUMNS = ("id", "title", "question", "context")
_WHITESPACE = re.compile(r"[ \t\r\n]*")
_LISTED = 8


def squad_rows(text: str, source: str) -> tuple[tuple[str, ...], Iterator[Row]]:
    """Return the columns, `answers` among them if any question has some, and the rows.

    A question without a text gives a row with `error` set. Raises `InputError` with line and
    column for broken JSON, and naming what is missing for JSON of another kind.
    """
    columns: tuple[str, ...] = COLUMNS
    for _, _, question in _questions(text, source):
        if isinstance(question, dict) and "answers" in question:
            columns = (*COLUMNS, "answers")
    return columns, _rows(text, source, columns)


def _rows(text: str, source: str, columns: Sequence[str]) -> Iterator[Row]:
    line, seen = 1, 0
    for place, (title, context), question in _questions(text, source):
        line, seen = line + text.count("\n", seen, place), place
        known = question if isinstance(question, dict) else {}
        cells = {**known, "title": title, "context": context}
        row = Row(tuple(columns), [cells.get(name) for name in columns], source, line)
        if not isinstance(known.get("question"), str):
            which = f"question {known['id']!r}" if "id" in known else f"a question on {title!r}"
            row.error = f"{source}: {which} has no text"
        yield row


def _questions(text: str, source: str) -> Iterator[tuple[int, tuple[str, str], Any]]:
    """Yield where its article begins, title and context, and the question itself."""
    for number, (place, article) in enumerate(_articles(text, source), start=1):
        where = f"article {number}"
        title = article.get("title") if isinstance(article, dict) else None
        for order, paragraph in enumerate(_list(article, "paragraphs", where, source), start=1):
            inside = f"{where}, paragraph {order}"
            questions = _list(paragraph, "qas", inside, source)
            context = paragraph.get("context")
            if not isinstance(context, str):
                raise _other_kind(source, f"{inside} has no 'context'")
            for question in questions:
                yield place, (title if isinstance(title, str) else "", context), question


def _articles(text: str, source: str) -> Iterator[tuple[int, Any]]:
    """Yield the elements of the list at the key `data`, each with its place, decoded one by one."""
    place = _skip(text, 0)
    if not text.startswith("{", place):
        value, _ = _decoded(text, place, source)
        kind = "a list" if isinstance(value, list) else "no object"
        raise _other_kind(source, f"it holds {kind}")
    keys: list[str] = []
    found = False
    place = _skip(text, place + 1)
    more = not text.startswith("}", place)
    while more:
        if not text.startswith('"', place):
            raise _broken(text, place, source, "a key in quotes is expected")
        key, place = _decoded(text, place, source)
        keys.append(key)
        place = _skip(text, _expected(text, place, ":", source))
        if key == "data" and text.startswith("[", place):
            found = True
            place = yield from _elements(text, place, source)
        else:
            _, place = _decoded(text, place, source)
        place, more = _next_item(text, place, "}", source)
    end = _skip(text, place + 1)
    if end < len(text):
        raise _broken(text, end, source, "more follows after the end")
    if not found:
        listed = ", ".join(keys[:_LISTED])
        raise _other_kind(source, f"there is no list at 'data' (keys: {listed})")


def _elements(text: str, place: int, source: str) -> Generator[tuple[int, Any], None, int]:
    """Yield the elements of a list, each with its place; the value is the place behind it."""
    place = _skip(text, place + 1)
    more = not text.startswith("]", place)
    while more:
        element, end = _decoded(text, place, source)
        yield place, element
        place, more = _next_item(text, end, "]", source)
    return place + 1


def _next_item(text: str, place: int, closing: str, source: str) -> tuple[int, bool]:
    """Return where the next item begins, or where the bracket closes, and whether one follows."""
    place = _skip(text, place)
    if text.startswith(closing, place):
        return place, False
    return _skip(text, _expected(text, place, ",", source)), True


def _expected(text: str, place: int, sign: str, source: str) -> int:
    place = _skip(text, place)
    if not text.startswith(sign, place):
        raise _broken(text, place, source, f"{sign!r} is expected")
    return place + 1


def _skip(text: str, place: int) -> int:
    found = _WHITESPACE.match(text, place)
    return found.end() if found else place


def _decoded(text: str, place: int, source: str) -> tuple[Any, int]:
    try:
        return DECODER.raw_decode(text, place)
    except json.JSONDecodeError as error:
        raise _broken(text, error.pos, source, error.msg) from None
    except RecursionError:
        raise _broken(text, place, source, "it is nested too deep") from None


def _list(holder: Any, key: str, where: str, source: str) -> list[Any]:
    value = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(value, list):
        raise _other_kind(source, f"{where} has no list at {key!r}")
    return value


def _broken(text: str, place: int, source: str, why: str) -> InputError:
    line = text.count("\n", 0, place) + 1
    column = place - text.rfind("\n", 0, place)
    return InputError(
        f"{source}: line {line}, column {column}: broken JSON: {why}; "
        "if each line is a row, set `input_format` jsonl"
    )


def _other_kind(source: str, why: str) -> InputError:
    return InputError(
        f"{source}: is no SQuAD JSON: {why}; rows go into JSON lines (.jsonl), one object a line"
    )
