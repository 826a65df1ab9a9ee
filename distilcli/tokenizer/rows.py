"""Rows through a tokenizer: read ahead, tokenized in blocks on all cores, written in order."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from distilcli.errors import RowError, UsageError
from distilcli.rows import Row, RowSource, cell_text
from distilcli.rows.outcome import OnError, Outcome, settle
from distilcli.rows.prefetch import ReadAhead
from distilcli.rows.row import cell_value
from distilcli.stats import RunStats
from distilcli.tokenizer.tokenizer import Encoding, Tokenizer
from distilcli.tokenizer.windows import Long, Truncation, Window, cut, frame_encodings

_BLOCK_ROWS = 1024
_BLOCKS_AHEAD = 2

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long a sequence may be, and what happens to longer ones.

    `max_length` None sets no limit. Neighbouring windows share `stride` tokens.
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
                f"`stride` {self.stride} is not smaller than a window of {self.max_length} tokens"
            )


@dataclass(frozen=True, slots=True)
class Tokens:
    """The texts of one row and their sequences: one, or one per window."""

    texts: tuple[str, str | None]
    windows: list[Window]
    truncated: bool


def text_of(outcome: Outcome[Row, Value], column: str) -> str:
    """Return the text of a row; that of a faulty one, which gets its `error`, is empty."""
    if outcome.error is None:
        try:
            return cell_text(outcome.item, column)
        except RowError as error:
            outcome.error = str(error)
    return ""


class TokenizeRows:
    """Rows to their tokens; without `offsets` only ids are computed, which is faster."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        text_column: str,
        pair_column: str | None = None,
        lengths: Lengths | None = None,
        offsets: bool = True,
    ) -> None:
        self._tokenizer = tokenizer
        self._text_column = text_column
        self._pair_column = pair_column
        self._lengths = lengths or Lengths()
        self._offsets = offsets

    def __call__(self, rows: Sequence[Row]) -> list[Outcome[Row, Tokens]]:
        """Return the rows in order, each with its value or its error."""
        outcomes = [Outcome[Row, Tokens](row, error=row.error) for row in rows]
        pair = self._pair_column
        texts = [
            (text_of(done, self._text_column), None if pair is None else text_of(done, pair))
            for done in outcomes
        ]
        firsts = self._encode([text for text, _ in texts])
        seconds = self._encode([pair or "" for _, pair in texts]) if pair else None
        for index, outcome in enumerate(outcomes):
            if outcome.error is None:
                first, second = firsts[index], None if seconds is None else seconds[index]
                if isinstance(first, RowError) or isinstance(second, RowError):
                    fault = first if isinstance(first, RowError) else second
                    outcome.error = f"{outcome.item.source}: line {outcome.item.line}: {fault}"
                else:
                    self._frame(outcome, texts[index], first, second)
        return outcomes

    def _encode(self, texts: Sequence[str]) -> list[Encoding | RowError]:
        """Return the tokens of texts, or the error of one that cannot be tokenized."""
        try:
            return [*self._tokens(texts)]
        except RowError as error:
            if len(texts) == 1:
                return [error]
            return [found for text in texts for found in self._encode([text])]

    def _tokens(self, texts: Sequence[str]) -> list[Encoding]:
        tokenizer, most = self._tokenizer, self._lengths.max_length
        side = tokenizer.options.truncation_side
        is_cut = most is not None and self._lengths.long == "truncate" and not self._pair_column
        if not self._offsets:
            found = (
                tokenizer.some_ids(texts, most, side) if is_cut and most else tokenizer.ids(texts)
            )
            return [Encoding(ids) for ids in found]
        if is_cut and most and side == "right":
            return tokenizer.first_tokens(texts, most)
        return tokenizer.encode(texts)

    def _frame(
        self,
        outcome: Outcome[Row, Tokens],
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
                side=self._tokenizer.options.truncation_side,
            )
        except RowError as error:
            outcome.error = f"{outcome.item.source}: line {outcome.item.line}: {error}"
            return
        windows = frame_encodings(first, second, cuts, special=self._tokenizer.special)
        outcome.value = Tokens(texts, windows, cuts.truncated)
        outcome.truncated = cuts.truncated


class DecodeRows:
    """Rows of token ids (a JSON list, or numbers separated by blanks or commas) to text."""

    def __init__(self, tokenizer: Tokenizer, *, ids_column: str) -> None:
        self._tokenizer = tokenizer
        self._ids_column = ids_column

    def __call__(self, rows: Sequence[Row]) -> list[Outcome[Row, str]]:
        """Return the rows in order, each with its value or its error."""
        return [self._decode(row) for row in rows]

    def _decode(self, row: Row) -> Outcome[Row, str]:
        if row.error is not None:
            return Outcome(row, error=row.error)
        try:
            return Outcome(row, self._tokenizer.decode(self._ids(row)))
        except RowError as error:
            where = f"{row.source}: line {row.line}, column {self._ids_column!r}"
            return Outcome(row, error=f"{where}: {error}")

    def _ids(self, row: Row) -> list[int]:
        value = cell_value(row, self._ids_column)
        if isinstance(value, str):
            value = value.strip().removeprefix("[").removesuffix("]").replace(",", " ").split()
        if not isinstance(value, list):
            raise RowError("no ids here; a list of whole numbers is expected")
        wrong = next((part for part in value if not _is_id(part)), None)
        if wrong is not None:
            raise RowError(f"{str(wrong)[:40]!r} is not an id; a list of whole numbers is expected")
        return [int(part) for part in value]


def _is_id(part: object) -> bool:
    return isinstance(part, str) and part.isascii() and part.isdigit()


def work_ahead(
    source: RowSource,
    work: Callable[[Sequence[Row]], list[Outcome[Row, Value]]],
    *,
    on_error: OnError,
    stats: RunStats,
) -> Iterator[list[Outcome[Row, Value]]]:
    """Yield the outcomes of `source` in blocks, tokenized while the block before is written.

    `settle` says what happens to rows that failed.
    """
    rows = ReadAhead(source, max_rows=_BLOCK_ROWS, live=source.is_stream)
    finished = ReadAhead(map(work, rows), max_rows=_BLOCKS_AHEAD, live=True)
    stats.start()
    try:
        for reader in (rows, finished):
            reader.start()
        for blocks in finished:
            for block in blocks:
                yield from settle(block, on_error=on_error, stats=stats)
    finally:
        for reader in (rows, finished):
            reader.close()
        stats.finish()
