"""SQuAD JSON: articles of paragraphs of questions; each question becomes a row.

    {"data": [{"title": …, "paragraphs": [{"context": …, "qas": [{"id": …, "question": …}]}]}]}

The whole text is checked first, so that a broken file is found before any work is done; rows are
then made article by article, so that only one article at a time is held as objects.
"""

import json
import re
from collections.abc import Generator, Iterator, Sequence
from typing import Any

from distilcli.errors import InputError
from distilcli.rows.jsonl import DECODER
from distilcli.rows.row import Row
from distilcli.wording import listing

COLUMNS = ("id", "title", "question", "context")
_WHITESPACE = re.compile(r"[ \t\r\n]*")


def squad_rows(text: str, source: str) -> tuple[tuple[str, ...], Iterator[Row]]:
    """Return the columns, with `answers` if any question has them, and the rows.

    A question without a text gives a row with `error` set. Raises `InputError` with line and
    column for broken JSON, and with what is missing for JSON of another kind.
    """
    columns: tuple[str, ...] = COLUMNS
    for _, _, question in _questions(text, source):
        if isinstance(question, dict) and "answers" in question:
            columns = (*COLUMNS, "answers")
    return columns, _rows(text, source, columns)


def _rows(text: str, source: str, columns: Sequence[str]) -> Iterator[Row]:
    line, seen = 1, 0
    for position, (title, context), question in _questions(text, source):
        line, seen = line + text.count("\n", seen, position), position
        known = question if isinstance(question, dict) else {}
        cells = {**known, "title": title, "context": context}
        row = Row(tuple(columns), [cells.get(name) for name in columns], source, line)
        if not isinstance(known.get("question"), str):
            which = f"question {known['id']!r}" if "id" in known else f"a question on {title!r}"
            row.error = f"{source}: {which} has no text"
        yield row


def _questions(text: str, source: str) -> Iterator[tuple[int, tuple[str, str], Any]]:
    """Yield the position of the article, title and context, and the question."""
    for number, (position, article) in enumerate(_articles(text, source), start=1):
        where = f"article {number}"
        title = article.get("title") if isinstance(article, dict) else None
        for order, paragraph in enumerate(_list(article, "paragraphs", where, source), start=1):
            inside = f"{where}, paragraph {order}"
            questions = _list(paragraph, "qas", inside, source)
            context = paragraph.get("context")
            if not isinstance(context, str):
                raise _other_kind(source, f"{inside} has no 'context'")
            for question in questions:
                yield position, (title if isinstance(title, str) else "", context), question


def _articles(text: str, source: str) -> Iterator[tuple[int, Any]]:
    """Yield the elements of the list at the key `data` with their positions, decoded one by one."""
    position = _skip(text, 0)
    if not text.startswith("{", position):
        value, _ = _decoded(text, position, source)
        kind = "a list" if isinstance(value, list) else "not an object"
        raise _other_kind(source, f"it is {kind}")
    keys: list[str] = []
    found = False
    position = _skip(text, position + 1)
    more = not text.startswith("}", position)
    while more:
        if not text.startswith('"', position):
            raise _broken(text, position, source, "a key in quotes is expected")
        key, position = _decoded(text, position, source)
        keys.append(key)
        position = _skip(text, _expected(text, position, ":", source))
        if key == "data" and text.startswith("[", position):
            found = True
            position = yield from _elements(text, position, source)
        else:
            _, position = _decoded(text, position, source)
        position, more = _next_item(text, position, "}", source)
    end = _skip(text, position + 1)
    if end < len(text):
        raise _broken(text, end, source, "more follows after the end")
    if not found:
        raise _other_kind(source, f"there is no list at 'data' (keys: {listing(keys)})")


def _elements(text: str, position: int, source: str) -> Generator[tuple[int, Any], None, int]:
    """Yield the elements of a list with their positions; return the position after it."""
    position = _skip(text, position + 1)
    more = not text.startswith("]", position)
    while more:
        element, end = _decoded(text, position, source)
        yield position, element
        position, more = _next_item(text, end, "]", source)
    return position + 1


def _next_item(text: str, position: int, closing: str, source: str) -> tuple[int, bool]:
    """Return the position of the next item or of the closing bracket, and whether one follows."""
    position = _skip(text, position)
    if text.startswith(closing, position):
        return position, False
    return _skip(text, _expected(text, position, ",", source)), True


def _expected(text: str, position: int, mark: str, source: str) -> int:
    position = _skip(text, position)
    if not text.startswith(mark, position):
        raise _broken(text, position, source, f"{mark!r} is expected")
    return position + 1


def _skip(text: str, position: int) -> int:
    found = _WHITESPACE.match(text, position)
    return found.end() if found else position


def _decoded(text: str, position: int, source: str) -> tuple[Any, int]:
    try:
        return DECODER.raw_decode(text, position)
    except json.JSONDecodeError as error:
        raise _broken(text, error.pos, source, error.msg) from None
    except RecursionError:
        raise _broken(text, position, source, "it is nested too deep") from None


def _list(holder: Any, key: str, where: str, source: str) -> list[Any]:
    value = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(value, list):
        raise _other_kind(source, f"{where} has no list at {key!r}")
    return value


def _broken(text: str, position: int, source: str, why: str) -> InputError:
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return InputError(
        f"{source}: line {line}, column {column}: broken JSON: {why}; "
        "if each line is a row, set `input_format` jsonl"
    )


def _other_kind(source: str, why: str) -> InputError:
    return InputError(f"{source}: is not SQuAD JSON: {why}; rows are read from JSON lines (.jsonl)")
