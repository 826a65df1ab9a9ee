"""The base of both engines: texts to ids, with the offsets of each token, and back.

An engine tokenizes plain text; this class handles what both share: long texts, words that are
never split, lone surrogates, special ids and decoding.
"""

import re
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterator, Mapping, MutableSequence, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from distilcli.errors import ModelError, RowError
from distilcli.tokenizer.borders import PART, Borders
from distilcli.tokenizer.characters import OTHER_WHITESPACE, WHITESPACE
from distilcli.tokenizer.options import Side, TokenizerOptions
from distilcli.tokenizer.spans import Span, Spans

if TYPE_CHECKING:
    Ids = array[int]
else:  # subscripted from Python 3.12 on
    Ids = array
Found = TypeVar("Found", bound="Ids | Encoding")

_CHARACTERS = 8  # of a token, and more: few texts need another try
_FURTHER = 4
_SURROGATES = re.compile("[\ud800-\udfff]")

# English without a space before punctuation and endings, as in the original.
_CLEAN_UP = (
    *((f" {mark}", mark) for mark in ".?!,"),
    (" ' ", "'"),
    *((f" {ending}", ending) for ending in ("n't", "'m", "'s", "'ve", "'re")),
)


class SpecialIds(NamedTuple):
    """The ids that frame a sequence and fill a batch."""

    cls: int
    sep: int
    pad: int
    unk: int


@dataclass(slots=True)
class Encoding:
    """The tokens of one text, without special tokens around them.

    `offsets` are the start and end of each token in the original text; `word_ids` number the
    words (and punctuation marks) that the tokens are pieces of. A long text has arrays of them.
    """

    ids: MutableSequence[int] = field(default_factory=list)
    offsets: list[Span] | Spans = field(default_factory=list)
    word_ids: MutableSequence[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def append(self, other: "Encoding", start: int) -> None:
        """Append the tokens of the text that begins at character `start`."""
        first_word = self.word_ids[-1] + 1 if self.word_ids else 0
        self.ids.extend(other.ids)
        self.offsets.extend([(start + begin, start + end) for begin, end in other.offsets])
        self.word_ids.extend([first_word + word for word in other.word_ids])


class Tokenizer(ABC):
    """A tokenizer over one vocabulary. A lone surrogate is read as U+FFFD.

    `engine` is its name, `tokens` the text of every id, `max_length` the longest sequence that
    its model takes (None if unknown).
    """

    engine: str

    def __init__(
        self,
        ids: Mapping[str, int],
        options: TokenizerOptions,
        *,
        source: str,
        unknown_steps: bool = False,
    ) -> None:
        """Take the ids of all tokens; raise `ModelError` if a special token is missing.

        With `unknown_steps`, the options alone do not decide how texts become tokens.
        """
        self.options = options
        self.source = source
        self.max_length = options.model_max_length
        self.special = _find_special(ids, options, source)
        self.tokens: dict[int, str] = {token_id: token for token, token_id in ids.items()}
        self.special_numbers = frozenset(
            ids[token] for token in options.special_tokens().values() if token in ids
        ) | {token_id for token_id, token in options.added_tokens.items() if token.special}
        self._ids = ids
        self._kept_words = _between_whitespace(options)
        self._borders = Borders(options, unknown_steps=unknown_steps)

    @property
    def mask(self) -> int | None:
        """The id of the mask token; None if the vocabulary has none."""
        return self.id_of(self.options.mask_token)

    @property
    def vocab_size(self) -> int:
        """The number of rows of an embedding table: the highest id plus one."""
        return max(self.tokens) + 1

    def id_of(self, token: str) -> int | None:
        """Return the id of a token as the vocabulary spells it, or None."""
        return self._ids.get(token)

    def reads_as(self, other: "Tokenizer") -> bool:
        """Return whether both make the same ids of a text: same vocabulary, same rules."""
        return (
            self._ids == other._ids
            and self.special == other.special
            and self.options.rules() == other.options.rules()
        )

    def ids(self, texts: Sequence[str]) -> list[Ids]:
        """Return the token ids of each text, without special tokens around them.

        Raises `RowError` for a text too long for memory.
        """
        return _each(texts, self._whole_ids, self._ids_of_parts)

    def encode(self, texts: Sequence[str]) -> list[Encoding]:
        """Return the tokens of each text in the same way, with their offsets and words."""
        return _each(texts, self._whole_encodings, self._encoding_of_parts)

    def some_ids(self, texts: Sequence[str], count: int, side: Side) -> list[Ids]:
        """Return the token ids at the start of each text, or at its end: `side` is cut off.

        There are at least `count` if the text has as many; the rest of it is not tokenized.
        """
        return self._enough(texts, count, side, self.ids)

    def first_tokens(self, texts: Sequence[str], count: int) -> list[Encoding]:
        """Return at least the first `count` tokens of each text, with their offsets and words."""
        return self._enough(texts, count, "right", self.encode)

    def decode(self, ids: Sequence[int], *, skip_special: bool = True) -> str:
        """Return the text of ids, as far as the tokens preserve it.

        Raises `RowError` for an id that is not in the vocabulary.
        """
        hidden = self.special_numbers - {self.special.unk} if skip_special else frozenset()
        tokens = [self._token(token_id) for token_id in ids if token_id not in hidden]
        text = " ".join(tokens).replace(" ##", "").strip()
        if self.options.clean_up_tokenization_spaces:
            for spaced, close in _CLEAN_UP:
                text = text.replace(spaced, close)
        return text

    def _whole_ids(self, texts: Sequence[str]) -> list[Ids]:
        """See `ids`; each text is tokenized whole."""
        if self._kept_words is not None:
            return [array("i", found.ids) for found in self._whole_encodings(texts)]
        try:
            return self._plain_ids(texts)
        except (TypeError, UnicodeEncodeError):
            return self._plain_ids(_without_surrogates(texts))

    def _whole_encodings(self, texts: Sequence[str]) -> list[Encoding]:
        """See `encode`; each text is tokenized whole."""
        if self._kept_words is not None:
            return [self._encode_around(self._kept_words, text) for text in texts]
        try:
            return self._plain_encodings(texts)
        except (TypeError, UnicodeEncodeError):
            return self._plain_encodings(_without_surrogates(texts))

    def _ids_of_parts(self, text: str) -> Ids:
        ids = array("i")
        for part in self._borders.parts(text):
            inside = text[part.start : part.end]
            ids += (
                array("i", [self.special.unk]) if part.is_unknown else self._whole_ids([inside])[0]
            )
        return ids

    def _encoding_of_parts(self, text: str) -> Encoding:
        encoding = Encoding(array("i"), Spans(), array("i"))
        for part in self._borders.parts(text):
            if part.is_unknown:
                found = Encoding([self.special.unk], [(0, part.end - part.start)], [0])
            else:
                (found,) = self._whole_encodings([text[part.start : part.end]])
            encoding.append(found, part.start)
        return encoding

    def _enough(
        self,
        texts: Sequence[str],
        count: int,
        side: Side,
        tokenize: Callable[[Sequence[str]], list[Found]],
    ) -> list[Found]:
        size = count * _CHARACTERS
        if max(map(len, texts), default=0) <= 2 * size:
            return tokenize(texts)
        short = [self._shortened(text, size, side) for text in texts]
        found = tokenize(short)
        for index, text in enumerate(texts):
            further = size
            while len(found[index]) < count and len(short[index]) < len(text):
                further *= _FURTHER
                short[index] = self._shortened(text, further, side)
                (found[index],) = tokenize([short[index]])
        return found

    def _shortened(self, text: str, size: int, side: Side) -> str:
        """Return about `size` characters of a text: from its beginning, or its end with "left"."""
        if len(text) <= 2 * size:
            return text
        if side == "right":
            return text[: self._borders.after(text, 0, size)]
        return text[self._borders.before(text, size) :]

    @abstractmethod
    def _plain_ids(self, texts: Sequence[str]) -> list[Ids]:
        """See `ids`; no words are kept whole."""

    @abstractmethod
    def _plain_encodings(self, texts: Sequence[str]) -> list[Encoding]:
        """See `encode`; no words are kept whole."""

    def _token(self, token_id: int) -> str:
        if token_id not in self.tokens:
            highest = self.vocab_size - 1
            raise RowError(f"id {token_id} is not in the vocabulary (0 to {highest:,})")
        return self.tokens[token_id]

    def _encode_around(self, kept_words: re.Pattern[str], text: str) -> Encoding:
        """Tokenize the text around the words that are never split; keep those as tokens."""
        encoding = Encoding()
        for start, part, is_kept in _parts(kept_words, text):
            if is_kept:
                token_id = self._ids.get(part, self.special.unk)
                found = Encoding([token_id], [(0, len(part))], [0])
            else:
                (found,) = self._plain_encodings(_without_surrogates([part]))
            encoding.append(found, start)
        return encoding


def _each(
    texts: Sequence[str],
    tokenize: Callable[[Sequence[str]], list[Found]],
    by_parts: Callable[[str], Found],
) -> list[Found]:
    """Tokenize short texts together, and long ones by themselves, part by part."""
    short = [text for text in texts if len(text) <= PART]
    found = iter(tokenize(short))
    if len(short) == len(texts):
        return list(found)
    return [next(found) if len(text) <= PART else by_parts(text) for text in texts]


def _find_special(ids: Mapping[str, int], options: TokenizerOptions, source: str) -> SpecialIds:
    found = {}
    for role, token in options.special_tokens().items():
        if role == "mask":
            continue
        if token not in ids:
            raise ModelError(
                f"{source}: the vocabulary has no {token}, which the model needs; "
                f"add it, or name another {role}_token in tokenizer_config.json"
            )
        found[role] = ids[token]
    return SpecialIds(**found)


def _between_whitespace(options: TokenizerOptions) -> re.Pattern[str] | None:
    """Return the pattern of the words that are never split; None without such words."""
    if not (options.never_split and options.do_basic_tokenize):
        return None
    whitespace = WHITESPACE + OTHER_WHITESPACE
    words = "|".join(map(re.escape, sorted(options.never_split, key=len, reverse=True)))
    return re.compile(f"(?<![^{whitespace}])(?:{words})(?![^{whitespace}])")


def _parts(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, str, bool]]:
    """Split a text at the matches of a pattern; yield (start, part, is a match)."""
    position = 0
    for match in pattern.finditer(text):
        yield position, text[position : match.start()], False
        yield match.start(), match.group(), True
        position = match.end()
    yield position, text[position:], False


def _without_surrogates(texts: Sequence[str]) -> list[str]:
    return [_SURROGATES.sub("\ufffd", text) for text in texts]
