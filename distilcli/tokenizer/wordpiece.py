"""BERT's tokenizer in plain Python, readable and fast enough to use.

A text becomes tokens in four steps:

1. added tokens such as [SEP] are found in the text and kept whole;
2. the rest is normalized character by character: control characters are removed, every ideograph
   is set apart, accents are stripped and capitals lowered;
3. it is split into words at whitespace and around every punctuation mark;
4. a word is split into the longest pieces in the vocabulary, from the left; `##` marks pieces
   that continue a word. A word that cannot be split, or is too long, becomes [UNK].

Every normalized character knows its position in the original text, which gives tokens their
offsets. A stretch without whitespace always gives the same pieces, so they are cached. The tables
and the order of the steps are those of the Rust engine; the first BERT lower-cased before
stripping accents and composed characters (NFC), which matters for a few letters outside ASCII.
"""

import re
import unicodedata
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from distilcli.tokenizer.characters import (
    ACCENTS,
    CHINESE,
    COMPOSED_LATER,
    OTHER_COMBINING,
    OTHER_WHITESPACE,
    PUNCTUATION,
    REMOVED,
    WHITESPACE,
)
from distilcli.tokenizer.options import AddedToken, TokenizerOptions
from distilcli.tokenizer.tokenizer import Encoding, Ids, Tokenizer
from distilcli.tokenizer.vocabulary import Vocabulary

_CONTINUES = "##"
_CACHED = 100_000  # stretches of text
_LONGEST_CACHED = 64  # longer ones hardly come twice


@dataclass(slots=True)
class Normalized:
    """Normalized text, and the original position of each of its characters."""

    text: str
    origins: Sequence[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the start and end of characters in the original text."""
        return self.origins[start], self.origins[end - 1] + 1


class BasicTokenizer:
    """Steps 2 and 3: text to normalized words."""

    def __init__(self, options: TokenizerOptions) -> None:
        self._options = options
        cleaned = options.do_basic_tokenize
        self.whitespace = WHITESPACE if cleaned else WHITESPACE + OTHER_WHITESPACE
        if cleaned and options.do_split_on_punc:
            punctuation = PUNCTUATION.pattern
            self._word = re.compile(f"[^{self.whitespace}{punctuation[1:-1]}]+|{punctuation}")
        else:
            self._word = re.compile(f"[^{self.whitespace}]+")

    def normalize(self, text: str) -> Normalized:
        """Clean, set ideographs apart, strip accents, lower."""
        if not self._options.do_basic_tokenize:
            return Normalized(text, range(len(text)))
        if text.isascii() and text.isprintable():
            # Only the last of the steps below applies.
            return Normalized(
                text.lower() if self._options.do_lower_case else text, range(len(text))
            )
        pairs = [(char, position) for position, char in enumerate(text) if not REMOVED.match(char)]
        if self._options.tokenize_chinese_chars:
            pairs = list(_set_apart(pairs))
        if self._options.strips_accents:
            pairs = [pair for pair in _decompose(pairs) if not ACCENTS.match(pair[0])]
        if self._options.do_lower_case:
            # Character by character: a final sigma is lowered like any other.
            pairs = [(low, position) for char, position in pairs for low in char.lower()]
        return Normalized("".join(char for char, _ in pairs), [position for _, position in pairs])

    def words(self, text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the start and end of each word; a punctuation mark is a word."""
        return (match.span() for match in self._word.finditer(text, start, end))


def _set_apart(pairs: Iterable[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    for char, position in pairs:
        if CHINESE.match(char):
            yield from ((" ", position), (char, position), (" ", position))
        else:
            yield char, position


def _decompose(pairs: Sequence[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """Decompose letters and accents, accents in canonical order (NFD).

    A mark that came out of its letter has the position of the character before it. Characters
    that change their order leave their positions behind, as in the Rust engine.
    """
    chars: list[tuple[str, bool]] = []
    for composed, _ in pairs:
        is_whole = COMPOSED_LATER.match(composed)
        parts = composed if is_whole else unicodedata.normalize("NFD", composed)
        for part, char in enumerate(parts):
            index = len(chars)
            if rank := _combining(char):
                while index and _combining(chars[index - 1][0]) > rank:
                    index -= 1
            chars.insert(index, (char, part > 0))
    positions = (position for _, position in pairs)
    position = 0
    for char, came_along in chars:
        position = position if came_along else next(positions)
        yield char, position


def _combining(char: str) -> int:
    """Return the canonical order of a combining mark; 0 for other characters."""
    known = ACCENTS.match(char) or OTHER_COMBINING.match(char)
    return unicodedata.combining(char) if known else 0


class WordPiece:
    """Step 4: a word to the ids of its pieces."""

    def __init__(self, vocabulary: Vocabulary, *, unk: int, longest_word: int) -> None:
        self._first = vocabulary
        self._further = {
            token.removeprefix(_CONTINUES): number
            for token, number in vocabulary.items()
            if token.startswith(_CONTINUES)
        }
        self._longest_piece = max(map(len, vocabulary))
        self._longest_word = longest_word
        self._unk = unk

    def pieces(self, word: str) -> list[tuple[int, int, int]]:
        """Return (id, start, end) of each piece, the longest from the left, or [UNK]."""
        unknown = [(self._unk, 0, len(word))]
        if len(word) > self._longest_word:
            return unknown
        pieces = []
        start = 0
        known = self._first
        while start < len(word):
            end = min(len(word), start + self._longest_piece)
            while end > start and word[start:end] not in known:
                end -= 1
            if end == start:
                return unknown
            pieces.append((known[word[start:end]], start, end))
            start, known = end, self._further
        return pieces


class AddedTokens:
    """Step 1: tokens that are matched in the text itself, the longest first."""

    def __init__(
        self, tokens: Mapping[int, AddedToken], *, normalize: Callable[[str], str] = str
    ) -> None:
        self._tokens = {normalize(token.content): (i, token) for i, token in tokens.items()}
        contents = sorted(self._tokens, key=len, reverse=True)
        # Without tokens, a pattern that never matches.
        self._pattern = re.compile("|".join(map(re.escape, contents)) or "(?!)")

    def __bool__(self) -> bool:
        return bool(self._tokens)

    def are_in(self, text: str) -> bool:
        """Return whether one of the tokens may be in the text."""
        return self._pattern.search(text) is not None

    def split(self, text: str) -> Iterator[tuple[int, int, int | None]]:
        """Split a text at the tokens; yield (start, end, id); plain text has no id."""
        spaces = WHITESPACE + OTHER_WHITESPACE
        position = 0
        for match in self._pattern.finditer(text):
            number, token = self._tokens[match.group()]
            start, end = match.span()
            if token.single_word and _within_word(text, start, end):
                continue
            if token.lstrip:
                start = max(position, len(text[:start].rstrip(spaces)))
            if token.rstrip:
                end = len(text) - len(text[end:].lstrip(spaces))
            if position < start:
                yield position, start, None
            yield start, end, number
            position = end
        if position < len(text):
            yield position, len(text), None


def _within_word(text: str, start: int, end: int) -> bool:
    beside = text[start - 1 : start] + text[end : end + 1]
    return any(char.isalnum() or char == "_" for char in beside)


class _Cache(dict[str, Encoding]):
    """The tokens of stretches without whitespace, split when first needed."""

    def __init__(self, cut: Callable[[str], Encoding]) -> None:
        super().__init__()
        self._cut = cut

    def __missing__(self, stretch: str) -> Encoding:
        encoding = self._cut(stretch)
        if len(stretch) <= _LONGEST_CACHED:
            if len(self) >= _CACHED:
                self.clear()
            self[stretch] = encoding
        return encoding


class WordPieceTokenizer(Tokenizer):
    """The engine `wordpiece`: the four steps over one vocabulary."""

    engine = "wordpiece"

    def __init__(self, vocabulary: Vocabulary, options: TokenizerOptions, *, source: str) -> None:
        """Raise `ModelError` if the vocabulary lacks a special token."""
        added = options.added_tokens.items()
        ids = {**vocabulary, **{token.content: number for number, token in added}}
        super().__init__(ids, options, source=source)
        self._basic = BasicTokenizer(options)
        self._wordpiece = WordPiece(
            vocabulary, unk=self.special.unk, longest_word=options.max_input_chars_per_word
        )
        matched = [
            (number, token)
            for number, token in added
            if not (token.special and options.split_special_tokens)
        ]
        self._added = AddedTokens({i: token for i, token in matched if not token.normalized})
        self._added_normalized = AddedTokens(
            {i: token for i, token in matched if token.normalized},
            normalize=lambda content: self._basic.normalize(content).text,
        )
        self._stretch = re.compile(f"[^{self._basic.whitespace}]+")
        self._known = _Cache(self._cut)

    def _plain_ids(self, texts: Sequence[str]) -> list[Ids]:
        return [self._ids_of(text) for text in texts]

    def _plain_encodings(self, texts: Sequence[str]) -> list[Encoding]:
        return [self._encode(text) for text in texts]

    def _ids_of(self, text: str) -> Ids:
        if self._added_normalized or self._added.are_in(text):
            return array("i", self._encode(text).ids)
        ids: list[int] = []
        for stretch in self._stretch.findall(text):
            ids += self._known[stretch].ids
        return array("i", ids)

    def _encode(self, text: str) -> Encoding:
        encoding = Encoding()
        for start, end, number in self._added.split(text):
            if number is not None:
                encoding.append(Encoding([number], [(0, end - start)], [0]), start)
            elif self._added_normalized:
                # Such a token may span whitespace.
                encoding.append(self._cut(text[start:end]), start)
            else:
                self._append_stretches(encoding, text, start, end)
        return encoding

    def _append_stretches(self, encoding: Encoding, text: str, start: int, end: int) -> None:
        """Append the tokens of plain text, stretch by stretch: `Encoding.append`, unrolled."""
        ids, offsets, word_ids = encoding.ids, encoding.offsets, encoding.word_ids
        first_word = word_ids[-1] + 1 if word_ids else 0
        for match in self._stretch.finditer(text, start, end):
            known = self._known[match.group()]
            if not known.ids:
                continue
            position = match.start()
            ids += known.ids
            for begin, stop in known.offsets:
                offsets.append((position + begin, position + stop))
            for word in known.word_ids:
                word_ids.append(first_word + word)
            first_word = word_ids[-1] + 1

    def _cut(self, text: str) -> Encoding:
        """Apply steps 2 to 4 to text without added tokens."""
        normalized = self._basic.normalize(text)
        encoding = Encoding()
        for start, end, number in self._added_normalized.split(normalized.text):
            if number is not None:
                encoding.append(Encoding([number], [normalized.span(start, end)], [0]), 0)
                continue
            for word_start, word_end in self._basic.words(normalized.text, start, end):
                pieces = self._wordpiece.pieces(normalized.text[word_start:word_end])
                offsets = [normalized.span(word_start + a, word_start + b) for _, a, b in pieces]
                word = Encoding([piece for piece, _, _ in pieces], offsets, [0] * len(pieces))
                encoding.append(word, 0)
        return encoding
