"""A run over files: rows from a source through an engine into a sink."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from types import MappingProxyType
from typing import Protocol, TypeVar, cast

from distilcli.engine.engine import Engine
from distilcli.errors import RowError
from distilcli.interrupt import deferred_interrupt
from distilcli.rows.conll import Sentence
from distilcli.rows.lists import words_of
from distilcli.rows.outcome import Outcome, Sink, with_additions
from distilcli.rows.row import Row, cell_value
from distilcli.stats import RunStats
from distilcli.tasks.texts import text_at

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
    if pair_column is None:
        return lambda row: (text_at(row, text_column), None)
    return lambda row: (text_at(row, text_column), text_at(row, pair_column))


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
    is_part: Callable[[], bool] = lambda: False,
    marks: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Run every row of `source` through `engine` into `sink`, in order.

    `select` chooses what is written from the blocks of results (default: all). A row gets the
    values of its result in the new `columns`; a failed row gets empty ones and an `error`, and a
    truncated row is marked `truncated`. `on_block` sees each block after it is written; a first
    Ctrl-C waits until both are done. Rows that are `live` arrive over time and do not wait for each
    other; `is_part` is that of the engine. Every row gets the columns `marks`.
    """
    run = engine.run(
        source,
        stats=stats,
        live=live,
        begins=lambda row: row.begins_block,
        is_part=is_part,
    )
    with closing(run) as blocks:
        for block in cast("Blocks[Result]", blocks) if select is None else select(blocks):
            with deferred_interrupt():
                sink.write_rows(with_additions(block, columns.names, columns.values, marks))
                on_block(block)
