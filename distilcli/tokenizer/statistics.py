"""Statistics of the lengths of a file's texts: what a limit would cut and padding would waste.

No row is kept: only the count of each length, and the most frequent unknown words.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from distilcli.tokenizer.rows import Tokens
from distilcli.tokenizer.tokenizer import Tokenizer

USUAL_LIMIT = 512
BATCH_SIZES = (8, 32, 128)
_PERCENTILES = (50, 90, 95, 99)
_KEPT_WHOLE = (95, 99)
_WORDS_SHOWN = 10
_WORDS_COUNTED = 100_000


@dataclass(frozen=True, slots=True)
class Padding:
    """The share of padding in batches of `rows`, in input order and sorted by length."""

    rows: int
    in_order: float
    sorted: float


@dataclass(frozen=True, slots=True)
class Bin:
    """The number of rows with `first` to `last` tokens."""

    first: int
    last: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthReport:
    """The statistics of a file; lengths are in tokens, special ones included.

    `percentiles` are by percent; `keep_whole` is the max_length that keeps that percentage of
    rows whole. `unknown_words` are the most frequent, with their counts.
    """

    rows: int
    tokens: int
    mean: float
    shortest: int
    longest: int
    percentiles: dict[int, int]
    limit: int
    rows_over_limit: int
    keep_whole: dict[int, int]
    unknown_tokens: int
    unknown_words: list[tuple[str, int]]
    padding: list[Padding]
    histogram: list[Bin]

    @property
    def share_over_limit(self) -> float:
        """The share of rows longer than `limit`."""
        return self.rows_over_limit / self.rows if self.rows else 0.0

    @property
    def unknown_share(self) -> float:
        """The share of [UNK] among the tokens, special tokens not counted."""
        plain = self.tokens - 2 * self.rows
        return self.unknown_tokens / plain if plain else 0.0

    def as_dict(self) -> dict[str, object]:
        """Return the statistics as plain JSON values."""
        shares = {"share_over_limit": self.share_over_limit, "unknown_share": self.unknown_share}
        return {**asdict(self), **shares}

    def records(self) -> list[dict[str, object]]:
        """Return the statistics as a list of names and values."""
        values: dict[str, object] = {
            "rows": self.rows,
            "tokens": self.tokens,
            "mean": round(self.mean, 1),
            "shortest": self.shortest,
            "longest": self.longest,
            **{f"p{percent}": length for percent, length in self.percentiles.items()},
            "limit": self.limit,
            "rows_over_limit": self.rows_over_limit,
            "share_over_limit": self.share_over_limit,
            **{f"max_length_for_{p}": length for p, length in self.keep_whole.items()},
            "unknown_tokens": self.unknown_tokens,
            "unknown_share": self.unknown_share,
        }
        for padding in self.padding:
            values[f"padding_{padding.rows}_in_order"] = padding.in_order
            values[f"padding_{padding.rows}_sorted"] = padding.sorted
        values |= {f"rows_{found.first}_{found.last}": found.rows for found in self.histogram}
        return [{"name": name, "value": value} for name, value in values.items()]


class LengthStatistics:
    """Counts rows; `report` returns the statistics."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._unk = tokenizer.special.unk
        self._limit = tokenizer.max_length or USUAL_LIMIT
        self._lengths: Counter[int] = Counter()
        self._unknown: Counter[str] = Counter()
        self._unknown_tokens = 0
        self._batches = [_Batches(size) for size in BATCH_SIZES]

    def add(self, tokens: Tokens) -> None:
        """Count one row, tokenized whole."""
        ids = tokens.windows[0].input_ids
        self._lengths[len(ids)] += 1
        for batches in self._batches:
            batches.add(min(len(ids), self._limit))
        if unknown := ids.count(self._unk):
            self._unknown_tokens += unknown
            self._count_unknown_words(tokens.texts)

    def report(self) -> LengthReport:
        """Return the statistics so far."""
        lengths = sorted(self._lengths.items())
        rows = sum(count for _, count in lengths)
        tokens = sum(length * count for length, count in lengths)
        clipped: Counter[int] = Counter()
        for length, count in lengths:
            clipped[min(length, self._limit)] += count
        return LengthReport(
            rows=rows,
            tokens=tokens,
            mean=tokens / rows if rows else 0.0,
            shortest=lengths[0][0] if rows else 0,
            longest=lengths[-1][0] if rows else 0,
            percentiles={p: _percentile(lengths, rows, p) for p in _PERCENTILES},
            limit=self._limit,
            rows_over_limit=sum(count for length, count in lengths if length > self._limit),
            keep_whole={p: _percentile(lengths, rows, p) for p in _KEPT_WHOLE},
            unknown_tokens=self._unknown_tokens,
            unknown_words=self._unknown.most_common(_WORDS_SHOWN),
            padding=[
                Padding(b.size, b.waste(), _sorted_waste(sorted(clipped.items()), b.size))
                for b in self._batches
            ],
            histogram=list(_histogram(lengths)),
        )

    def _count_unknown_words(self, texts: tuple[str, str | None]) -> None:
        given = [text for text in texts if text is not None]
        for text, encoding in zip(given, self._tokenizer.encode(given), strict=True):
            for number, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
                if number == self._unk:
                    self._unknown[text[start:end]] += 1
        if len(self._unknown) > _WORDS_COUNTED:
            # Rare words go; only the most frequent are shown at the end.
            self._unknown = Counter(dict(self._unknown.most_common(_WORDS_COUNTED // 2)))


class _Batches:
    """The padding of rows batched in input order."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._tokens = 0
        self._positions = 0
        self._rows = 0
        self._longest = 0

    def add(self, length: int) -> None:
        self._tokens += length
        self._longest = max(self._longest, length)
        self._rows += 1
        if self._rows == self.size:
            self._positions += self._rows * self._longest
            self._rows = self._longest = 0

    def waste(self) -> float:
        positions = self._positions + self._rows * self._longest
        return 1 - self._tokens / positions if positions else 0.0


def _sorted_waste(lengths: Sequence[tuple[int, int]], size: int) -> float:
    """Return the padding share of batches of rows sorted by length."""
    batches = _Batches(size)
    for length, count in lengths:
        for _ in range(count):
            batches.add(length)
    return batches.waste()


def _percentile(lengths: Sequence[tuple[int, int]], rows: int, percent: int) -> int:
    """Return the smallest length that `percent` of the rows do not exceed."""
    needed = math.ceil(rows * percent / 100)
    seen = 0
    for length, count in lengths:
        seen += count
        if seen >= needed:
            return length
    return 0


def _histogram(lengths: Sequence[tuple[int, int]]) -> Iterator[Bin]:
    """Yield bins from the shortest to the longest, each about 1.4 times as wide as the last."""
    first, last, further = 1, 8, 12
    remaining = list(lengths)
    while remaining:
        rows = sum(count for length, count in remaining if length <= last)
        if rows or len(remaining) < len(lengths):
            yield Bin(first, last, rows)
        remaining = [(length, count) for length, count in remaining if length > last]
        first, last, further = last + 1, further, 2 * last
