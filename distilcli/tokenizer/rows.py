"""Rows through a tokenizer: read ahead, tokenized in blocks on all cores, written in order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

from distilcli.errors import InputError, RowError, UsageError
from distilcli.rows import Row, RowSource, cell_text
from distilcli.rows.row import cell_value
from distilcli.rows.row_writer import Block
from distilcli.stats import RunStats
from distilcli.tokenizer.ahead import Ahead
from distilcli.tokenizer.tokenizer import Encoding, Tokenizer
from distilcli.tokenizer.windows import Long, Truncation, Window, cut, frame_encodings

OnError = Literal["keep", "skip", "stop"]

_BLOCK_ROWS = 1024

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long a sequence may be, and what becomes of longer ones.

    `max_length` None takes texts whole. `stride` tokens are shared by two windows.
    """

    max_length: int | None = None
    long: Long = "truncate"
    stride: int = 0
    truncation: Truncation = "longest_first"

    def __post_init__(self) -> None:
        """Raise `UsageError` for windows that would never end."""
        windowed = self.max_length is not None and self.long == "window"
        if windowed and self.stride >= (self.max_length or 0) - 3:
            raise UsageError(
                f"--stride {self.stride} is not smaller than a window of {self.max_length} tokens"
            )


@dataclass(slots=True)
class Done(Generic[Value]):
    """A row and what was made of it, or why nothing could be."""

    row: Row
    value: Value | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """The sequences of one row: one, or one for each window; and the texts they came from."""

    texts: tuple[str, str | None]
    windows: list[Window]
    truncated: bool


class TokenizeRows:
    """Rows to their tokens. Without `places` neither offsets nor words are asked for: faster."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        text_column: str,
        pair_column: str | None = None,
        lengths: Lengths | None = None,
        places: bool = True,
    ) -> None:
        self._tokenizer = tokenizer
        self._text_column = text_column
        self._pair_column = pair_column
        self._lengths = lengths or Lengths()
        self._places = places

    def __call__(self, rows: Sequence[Row]) -> list[Done[Tokens]]:
        """Return the rows in order, each with its value or its error."""
        done = [Done[Tokens](row, error=row.error) for row in rows]
        texts = [self._texts(item) for item in done]
        firsts = self._encode([text for text, _ in texts])
        seconds = self._encode([pair or "" for _, pair in texts]) if self._pair_column else None
        for number, item in enumerate(done):
            if item.error is None:
                second = None if seconds is None else seconds[number]
                self._frame(item, texts[number], firsts[number], second)
        return done

    def _texts(self, item: Done[Tokens]) -> tuple[str, str | None]:
        if item.error is not None:
            return "", None
        try:
            text = cell_text(item.row, self._text_column)
            pair = None if self._pair_column is None else cell_text(item.row, self._pair_column)
        except RowError as error:
            item.error = str(error)
            return "", None
        return text, pair

    def _encode(self, texts: Sequence[str]) -> list[Encoding]:
        if self._places:
            return self._tokenizer.encode(texts)
        return [Encoding(ids) for ids in self._tokenizer.ids(texts)]

    def _frame(
        self,
        item: Done[Tokens],
        texts: tuple[str, str | None],
        first: Encoding,
        second: Encoding | None,
    ) -> None:
        lengths = self._lengths
        try:
            cuts = cut(
                len(first),
                None if second is None else len(second),
                max_length=lengths.max_length,
                long=lengths.long,
                stride=lengths.stride,
                truncation=lengths.truncation,
            )
        except RowError as error:
            item.error = f"{item.row.source}: line {item.row.line}: {error}"
            return
        windows = frame_encodings(first, second, cuts, special=self._tokenizer.special)
        item.value = Tokens(texts, windows, cuts.truncated)


class DecodeRows:
    """Rows of token ids (a JSON list, or numbers between spaces or commas) to text."""

    def __init__(self, tokenizer: Tokenizer, *, ids_column: str) -> None:
        self._tokenizer = tokenizer
        self._ids_column = ids_column

    def __call__(self, rows: Sequence[Row]) -> list[Done[str]]:
        """Return the rows in order, each with its value or its error."""
        return [self._decode(row) for row in rows]

    def _decode(self, row: Row) -> Done[str]:
        if row.error is not None:
            return Done(row, error=row.error)
        try:
            return Done(row, self._tokenizer.decode(self._ids(row)))
        except RowError as error:
            place = f"{row.source}: line {row.line}, column {self._ids_column!r}"
            return Done(row, error=f"{place}: {error}")

    def _ids(self, row: Row) -> list[int]:
        value = cell_value(row, self._ids_column)
        if isinstance(value, str):
            value = value.strip().removeprefix("[").removesuffix("]").replace(",", " ").split()
        if not isinstance(value, list):
            raise RowError("no ids here; a list of whole numbers is expected")
        wrong = next((part for part in value if not _is_number(part)), None)
        if wrong is not None:
            raise RowError(f"{str(wrong)[:40]!r} is no id; a list of whole numbers is expected")
        return [int(part) for part in value]


def _is_number(part: object) -> bool:
    return isinstance(part, str) and part.isascii() and part.isdigit()


def work_ahead(
    source: RowSource,
    work: Callable[[Sequence[Row]], list[Done[Value]]],
    *,
    on_error: OnError,
    stats: RunStats,
) -> Iterator[list[Done[Value]]]:
    """Yield the rows of `source` in blocks, worked on while the one before is being written.

    Rows that failed come out with their error, unless they are skipped. With "stop" the first one
    raises `InputError`, after the rows before it.
    """
    stats.start()
    with ExitStack() as stack:
        rows = stack.enter_context(Ahead(source, most=_BLOCK_ROWS))
        worked = stack.enter_context(Ahead(map(work, rows), most=2))
        for blocks in worked:
            for block in blocks:
                failed = [item for item in block if item.error is not None]
                skips = on_error == "skip"
                stats.add_rows(len(block), failed=len(failed), skipped=len(failed) * skips)
                if failed and on_error == "stop":
                    yield block[: block.index(failed[0])]
                    raise InputError(str(failed[0].error))
                yield [item for item in block if item.error is None] if skips else block
    stats.finish()


class RowSink(Protocol):
    """Where rows go with what was added to them."""

    def write_rows(self, block: Block) -> None:
        """Take a block of rows."""


def write_all(
    blocks: Iterator[list[Done[Value]]],
    sink: RowSink,
    *,
    names: Sequence[str],
    values: Callable[[Value], Mapping[str, object]],
) -> None:
    """Write rows with the `values` of what was made of them; a failed one has an `error`."""
    empty: dict[str, object] = dict.fromkeys(names)
    for block in blocks:
        sink.write_rows(
            [
                (
                    done.row,
                    {**empty, "error": done.error} if done.value is None else values(done.value),
                )
                for done in block
            ]
        )
