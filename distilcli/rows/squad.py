"""SQuAD JSON: articles of paragraphs of questions; each question becomes a row.

    {"data": [{"title": …, "paragraphs": [{"context": …, "qas": [{"id": …, "question": …}]}]}]}

The whole text is checked first, so that a broken file is found before any work is done; rows are
then made article by article, so that only one article at a time is held as objects.
"""

import json
import shlex
from collections.abc import Iterator, Sequence

from distilcli.errors import InputError
from distilcli.rows.json_reader import JsonReader
from distilcli.rows.row import Row
from distilcli.wording import listing

COLUMNS = ("id", "title", "question", "context")
_PART = 1 << 16


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
    for line, (title, context), question in _questions(text, source):
        known = question if isinstance(question, dict) else {}
        cells = {**known, "title": title, "context": context}
        row = Row(tuple(columns), [cells.get(name) for name in columns], source, line)
        if not isinstance(known.get("question"), str):
            which = f"question {known['id']!r}" if "id" in known else f"a question on {title!r}"
            row.error = f"{source}: {which} has no text"
        yield row


def _questions(text: str, source: str) -> Iterator[tuple[int, tuple[str, str], object]]:
    """Yield the line of the article, title and context, and the question."""
    for number, (line, article) in enumerate(_articles(text, source), start=1):
        where = f"article {number}"
        title = article.get("title") if isinstance(article, dict) else None
        for order, paragraph in enumerate(_list(article, "paragraphs", where, source), start=1):
            inside = f"{where}, paragraph {order}"
            questions = _list(paragraph, "qas", inside, source)
            context = paragraph.get("context") if isinstance(paragraph, dict) else None
            if not isinstance(context, str):
                raise _other_kind(source, f"{inside} has no 'context'")
            for question in questions:
                yield line, (title if isinstance(title, str) else "", context), question


def _articles(text: str, source: str) -> Iterator[tuple[int, object]]:
    """Yield the elements of the list at the key `data` with their lines, decoded one by one."""
    parts = (text[start : start + _PART] for start in range(0, len(text), _PART))
    reader = JsonReader(parts, source, hint="; if each line is a row, set `input_format` jsonl")
    if reader.peek() != "{":
        kind = "a list" if isinstance(reader.value()[0], list) else "not an object"
        raise _other_kind(source, f"it is {kind}")
    keys: list[str] = []
    found = False
    longest, rows_at = 0, ""
    reader.take("{")
    more = reader.peek() != "}"
    while more:
        if reader.peek() != '"':
            raise reader.broken("a key in quotes is expected")
        keys.append(str(reader.value()[0]))
        reader.take(":")
        if keys[-1] == "data" and reader.peek() == "[":
            found = True
            yield from ((line, article) for article, _, line in reader.elements())
        else:
            value, _, _ = reader.value()
            if isinstance(value, list) and value and isinstance(value[0], dict):
                longest, rows_at = max((longest, rows_at), (len(value), keys[-1]))
        more = reader.goes_on("}")
    reader.take("}")
    reader.end()
    if not found:
        raise _other_kind(
            source, f"there is no list at 'data' (keys: {listing(keys)})", rows_at or None
        )


def _list(holder: object, key: str, where: str, source: str) -> list[object]:
    value = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(value, list):
        is_row = key == "paragraphs" and isinstance(holder, dict)
        raise _other_kind(source, f"{where} has no list at {key!r}", "data" if is_row else None)
    return value


def _other_kind(source: str, why: str, rows_at: str | None = None) -> InputError:
    """Return the error for other JSON; `rows_at` is the key of a list of objects in it."""
    way_out = "rows are an array of objects, or JSON lines (.jsonl)"
    if rows_at is not None:
        way_out = f"extract its rows: {shlex.join(['jq', f'.[{json.dumps(rows_at)}]', source])}"
    return InputError(f"{source}: is not SQuAD JSON: {why}; {way_out}")
