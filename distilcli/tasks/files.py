"""A run over files: rows from a source through an engine into a sink."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Protocol, TypeVar, cast

from distilcli.engine.engine import Engine
from distilcli.errors import RowError
from distilcli.rows.conll import Sentence
from distilcli.rows.lists import words_of
from distilcli.rows.outcome import Outcome, Sink, with_additions
from distilcli.rows.row import Row, cell_text, cell_value, is_blank
from distilcli.stats import RunStats

Item = TypeVar("Item")
Content = TypeVar("Content")
Value = TypeVar("Value")
Value_contra = TypeVar("Value_contra", contravariant=True)
Result = TypeVar("Result")
Blocks = Iterator[list[Outcome[Row, Value]]]


class Columns(Protocol[Value_contra]):
    """The columns that a task adds to a row."""

    @property
    def names(self) -> Sequence[str]:
        """The new columns, in order."""

    def values(self, value: Value_contra) -> Sequence[object]:
        """Return the values of the new columns for one result."""

    def counted(self, value: Value_contra) -> Sequence[str]:
        """Return the labels under which a result is counted in the summary."""


EMPTY = "empty text"
"""The error of a row with nothing to read."""


def refusing_empty(
    content_of: Callable[[Item], Content], parts: Sequence[str]
) -> Callable[[Item], Content]:
    """Return `content_of` with a `RowError` for an empty text: the one rule for all tasks.

    Content is a text, a list of words, or a tuple of texts that messages call `parts`.
    """

    def content(item: Item) -> Content:
        found = content_of(item)
        texts = found if isinstance(found, tuple) else (found,)
        for part, text in zip(parts, texts, strict=False):
            # A list without words is a sentence without words, as at the end of a CoNLL file.
            words = text if isinstance(text, list) else [text]
            if words and all(isinstance(word, str) and is_blank(word) for word in words):
                raise RowError(f"{EMPTY}: {part}" if part else EMPTY)
        return found

    return content


def text_at(row: Row, column: str) -> str:
    """Return the text of a cell, an empty one for null; raise `RowError` for a faulty row."""
    if row.error is not None:
        raise RowError(row.error)
    return "" if cell_value(row, column) is None else cell_text(row, column)


def text_from(text_column: str) -> Callable[[Row], str]:
    """Return the function that takes the text of a row from its column."""
    return lambda row: text_at(row, text_column)


def content_from(text_column: str, *, of_words: bool = False) -> Callable[[Row], str | list[str]]:
    """Return the function that takes the text of a row from its column, or a sentence's words.

    With `of_words` the column holds a list of words, also in a cell, or words between blanks.
    """

    def content_of(row: Row) -> str | list[str]:
        if row.error is not None:
            raise RowError(row.error)
        if isinstance(row, Sentence):
            return row.words
        value = cell_value(row, text_column)
        if not of_words or value is None:
            return text_at(row, text_column)
        words = words_of(value)
        if words is None or None in words:
            place = f"{row.source}: line {row.line}, column {text_column!r}"
            raise RowError(f"{place}: not a list of words")
        return [word or "" for word in words] or ""  # a sentence without words is empty

    return content_of


def texts_from(
    text_column: str, pair_column: str | None
) -> Callable[[Row], tuple[str, str | None]]:
    """Return the function that takes the text and the second text of a row from its columns."""
    return lambda row: (
        text_at(row, text_column),
        None if pair_column is None else text_at(row, pair_column),
    )


def run_files(
    source: Iterable[Row],
    engine: Engine[Row, Value],
    sink: Sink,
    columns: Columns[Result],
    *,
    stats: RunStats,
    select: Callable[[Blocks[Value]], Blocks[Result]] | None = None,
    on_block: Callable[[list[Outcome[Row, Result]]], None] = lambda _: None,
    live: bool = False,
) -> None:
    """Run every row of `source` through `engine` into `sink`, in order.

    `select` chooses what is written from the blocks of results (default: all). A row gets the
    values of its result in the new `columns`; a failed one gets empty ones and an `error`, and a
    truncated one is marked `truncated`. `on_block` sees each block after it is written. Rows that
    are `live` arrive over time and do not wait for each other.
    """
    with closing(engine.run(source, stats=stats, live=live)) as blocks:
        for block in cast("Blocks[Result]", blocks) if select is None else select(blocks):
            sink.write_rows(with_additions(block, columns.names, columns.values))
            on_block(block)
