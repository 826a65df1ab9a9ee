"""Where a text can be cut so that its parts have the same tokens as the whole.

So a text of any length is tokenized part by part, in memory that does not grow with it. A part
begins at a character that no word crosses (whitespace, punctuation, an ideograph) and that is not
inside any added token: every step of a tokenizer works within such parts.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from distilcli.errors import RowError
from distilcli.tokenizer.characters import (
    ACCENTS,
    CHINESE,
    OTHER_WHITESPACE,
    PUNCTUATION,
    REMOVED,
    WHITESPACE,
)
from distilcli.tokenizer.options import TokenizerOptions

PART = 65_536
"""Characters in a part; the Rust engine takes up to 200 bytes for each."""

_LONGEST = 4 * PART
_LONGEST_WHOLE = 64 * PART
_STEP = 256
_BLANKS = f"[{WHITESPACE}{OTHER_WHITESPACE}]*"
_HIDDEN_PUNCTUATION = "\u1fef\u226e\u226f\u2260"  # accents taken off, it is a mark


@dataclass(frozen=True, slots=True)
class Part:
    """The characters from `start` to `end`; if `is_unknown`, a single word that is too long."""

    start: int
    end: int
    is_unknown: bool = False


class Borders:
    """Cuts texts for one tokenizer; with `unknown_steps`, texts cannot be cut."""

    def __init__(self, options: TokenizerOptions, *, unknown_steps: bool = False) -> None:
        cleaned = options.do_basic_tokenize
        splits = cleaned and options.do_split_on_punc
        apart = cleaned and options.tokenize_chinese_chars
        accents = cleaned and options.strips_accents
        hidden = _HIDDEN_PUNCTUATION * (splits and accents)
        punctuation, chinese = _inside(PUNCTUATION) * splits, _inside(CHINESE) * apart
        added = [token.content for token in options.added_tokens.values()]
        self._border = None if unknown_steps else _border(options, punctuation + chinese)
        self._breaks = re.compile(
            f"[{WHITESPACE}{OTHER_WHITESPACE}{punctuation}{chinese}{hidden}]"
            + "".join(f"|{re.escape(content)}" for content in added)
        )
        self._added = re.compile(
            "|".join(
                _BLANKS * token.lstrip + re.escape(token.content)
                for token in options.added_tokens.values()
            )
            or "(?!)"
        )
        self._may_hide_tokens = any(token.normalized for token in options.added_tokens.values())
        dropped = _inside(REMOVED) * cleaned + _inside(ACCENTS) * accents
        self._kept = re.compile(f"[^{dropped}]" if dropped else "(?s:.)")
        self._longest_word = options.max_input_chars_per_word

    def parts(self, text: str) -> Iterator[Part]:
        """Yield the parts of a text in order.

        Raises `RowError` for a stretch without a border that is too long for memory.
        """
        start = 0
        while start < len(text):
            end = self.after(text, start, PART)
            if end - start <= (_LONGEST if self._border else _LONGEST_WHOLE):
                yield Part(start, end)
            elif self._breaks.match(text, start) and not self._may_be_token(text, start):
                end = start + 1  # what follows may be one word
                yield Part(start, end)
            else:
                yield from self._stretch(text, start, end)
            start = end

    def after(self, text: str, start: int, size: int) -> int:
        """Return the last border at most `size` characters after `start`, or else the next one.

        The end of the text is a border.
        """
        if len(text) - start <= size or self._border is None:
            return len(text)
        last = _last(self._border, text, start + 1, start + size + 1)
        if last is not None:
            return last
        found = self._border.search(text, start + size)
        return len(text) if found is None else found.start()

    def before(self, text: str, size: int) -> int:
        """Return the last border that leaves at least `size` characters after it, or else 0."""
        if self._border is None:
            return 0
        return _last(self._border, text, 0, max(0, len(text) - size)) or 0

    def _may_be_token(self, text: str, start: int) -> bool:
        """Return whether an added token may begin here."""
        return self._may_hide_tokens or self._added.match(text, start) is not None

    def _stretch(self, text: str, start: int, end: int) -> Iterator[Part]:
        """Yield the single part of a stretch without a border: an unknown word or plain text.

        Characters that are dropped at its ends are left out.
        """
        length = end - start
        first = self._kept.search(text, start, end)
        if first is None:
            return
        start, end = first.start(), (_last(self._kept, text, start, end) or start) + 1
        if end - start <= _LONGEST:
            yield Part(start, end)
            return
        kept = sum(1 for _ in islice(self._kept.finditer(text, start, end), self._longest_word + 1))
        is_word = not (self._may_hide_tokens or self._breaks.search(text, start, end))
        if self._border is None or not is_word or kept <= self._longest_word:
            raise RowError(
                f"{length:,} characters without a space are too many to tokenize; split the text"
            )
        yield Part(start, end, is_unknown=True)


def _border(options: TokenizerOptions, marks: str) -> re.Pattern[str]:
    """Return the pattern of a character before which texts may be cut; `marks` break words too.

    Words that are never split, and tokens that match only as single words, depend on the character
    beside them, and tokens that absorb spaces may be cut off from those.
    """
    added = options.added_tokens.values()
    if options.never_split or any(token.single_word for token in added):
        marks = ""
    takes_blanks = any(token.lstrip or token.rstrip for token in added)
    contents = [*options.never_split, *(token.content for token in added)]
    inside = {char for content in contents for char in _forms(content)}
    inside |= {token.content[0] for token in added if token.lstrip and token.content}
    blanks = "" if takes_blanks or any(char.isspace() for char in inside) else WHITESPACE
    if not blanks + marks:
        return re.compile("(?!)")
    excluded = f"(?![{re.escape(''.join(sorted(inside)))}])" if inside else ""
    return re.compile(f"{excluded}[{blanks}{marks}]")


def _forms(content: str) -> Iterator[str]:
    """Yield all characters of a token except the first, as they are and normalized.

    Normalization puts spaces around ideographs.
    """
    yield from content[1:]
    parted = CHINESE.sub(r" \g<0> ", content).strip()
    yield from unicodedata.normalize("NFD", parted)[1:].lower()


def _last(pattern: re.Pattern[str], text: str, low: int, high: int) -> int | None:
    """Return the start of the last match of one character from `low` to before `high`."""
    while high > low:
        begin = max(low, high - _STEP)
        places = [match.start() for match in pattern.finditer(text, begin, high)]
        if places:
            return places[-1]
        high = begin
    return None


def _inside(one_of: re.Pattern[str]) -> str:
    """Return what is between the brackets of a pattern of one character."""
    return one_of.pattern[1:-1]
