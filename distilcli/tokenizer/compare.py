"""Where two tokenizers split the same text differently."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from distilcli.rows import Row
from distilcli.rows.jsonl import json_text
from distilcli.rows.outcome import Outcome
from distilcli.rows.row import JsonText
from distilcli.tokenizer.rows import text_of
from distilcli.tokenizer.tokenizer import Encoding, Tokenizer

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Difference:
    """A span of text, from `start` to `end`, and its tokens by each tokenizer."""

    start: int
    end: int
    text: str
    here: tuple[str, ...]
    there: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """One text by both tokenizers: its numbers of tokens and its differences."""

    text: str
    n_tokens: int
    n_tokens_other: int
    differences: list[Difference]


class CompareRows:
    """Rows to the differences between two tokenizers."""

    def __init__(self, here: Tokenizer, there: Tokenizer, *, text_column: str) -> None:
        self._here = here
        self._there = there
        self._text_column = text_column

    def __call__(self, rows: Sequence[Row]) -> list[Outcome[Row, Compared]]:
        """Return the rows in order, each with its value or its error."""
        done = [Outcome[Row, Compared](row, error=row.error) for row in rows]
        texts = [text_of(item, self._text_column) for item in done]
        both = zip(self._here.encode(texts), self._there.encode(texts), strict=True)
        for item, text, (here, there) in zip(done, texts, both, strict=True):
            if item.error is None:
                found = self._differences(text, here, there)
                item.value = Compared(text, len(here), len(there), found)
        return done

    def _differences(self, text: str, here: Encoding, there: Encoding) -> list[Difference]:
        ours, theirs = _placed(self._here, here), _placed(self._there, there)
        if ours == theirs:
            return []
        found = []
        for a, b in zip(*_aligned(ours, theirs), strict=True):
            if a != b:
                start = min(start for _, start, _ in a + b)
                end = max(end for _, _, end in a + b)
                tokens = [tuple(token for token, _, _ in part) for part in (a, b)]
                found.append(Difference(start, end, text[start:end], tokens[0], tokens[1]))
        return found


Placed = list[tuple[str, int, int]]


def _placed(tokenizer: Tokenizer, encoding: Encoding) -> Placed:
    return [
        (tokenizer.tokens[token_id], start, end)
        for token_id, (start, end) in zip(encoding.ids, encoding.offsets, strict=True)
    ]


def _aligned(here: Placed, there: Placed) -> tuple[list[Placed], list[Placed]]:
    """Split both at the positions of the text where tokens of both end."""
    ends = sorted({end for _, _, end in here} & {end for _, _, end in there})
    return _cut_at(here, ends), _cut_at(there, ends)


def _cut_at(placed: Placed, ends: Sequence[int]) -> list[Placed]:
    parts: list[Placed] = []
    begin = 0
    for end in ends:
        stop = begin
        while stop < len(placed) and placed[stop][2] <= end:
            stop += 1
        parts.append(placed[begin:stop])
        begin = stop
    return [*parts, placed[begin:]]


class DifferenceCounts:
    """Counts the differences over all rows, and makes the columns of each row."""

    NAMES = ("n_differences", "n_tokens", "n_tokens_other", "differences")

    def __init__(self) -> None:
        self.rows = 0
        self.rows_that_differ = 0
        self.n_tokens = 0
        self.n_tokens_other = 0
        self.differences = 0
        self._kinds: Counter[tuple[str, tuple[str, ...], tuple[str, ...]]] = Counter()

    def add(self, compared: Compared) -> None:
        """Count one row."""
        self.rows += 1
        self.rows_that_differ += bool(compared.differences)
        self.n_tokens += compared.n_tokens
        self.n_tokens_other += compared.n_tokens_other
        self.differences += len(compared.differences)
        self._kinds.update((found.text, found.here, found.there) for found in compared.differences)

    def differing(
        self, blocks: Iterable[list[Outcome[Row, Compared]]]
    ) -> Iterator[list[Outcome[Row, Compared]]]:
        """Count all rows and yield those that differ or failed."""
        for block in blocks:
            for done in block:
                if done.value is not None:
                    self.add(done.value)
            yield [done for done in block if done.value is None or done.value.differences]

    @property
    def frequent(self) -> list[dict[str, Any]]:
        """The most frequent differences with their counts."""
        return [
            {"text": text, "here": list(here), "there": list(there), "count": count}
            for (text, here, there), count in self._kinds.most_common(_SHOWN)
        ]

    def as_dict(self) -> dict[str, object]:
        """Return the counts as plain JSON values."""
        return {
            "rows": self.rows,
            "rows_that_differ": self.rows_that_differ,
            "n_tokens": self.n_tokens,
            "n_tokens_other": self.n_tokens_other,
            "differences": self.differences,
            "frequent": self.frequent,
        }

    @staticmethod
    def values(compared: Compared) -> tuple[object, ...]:
        """Return the columns of one row."""
        found = JsonText(json_text([asdict(difference) for difference in compared.differences]))
        return len(compared.differences), compared.n_tokens, compared.n_tokens_other, found
