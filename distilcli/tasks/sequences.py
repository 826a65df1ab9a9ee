"""Token ids to sequences within the limits of a model, and the results of windows to one row.

Every task frames its rows here, so that long texts are cut, windowed or refused the same way.
"""

import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence, Sized
from dataclasses import replace
from itertools import chain
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

from distilcli.checkpoint.config import ModelConfig
from distilcli.engine.batching import Piece
from distilcli.engine.task import Encoded
from distilcli.errors import RowError, UsageError
from distilcli.tasks.settings import (
    SPECIALS_OF_A_PAIR,
    LongTexts,
    WindowPooling,
    usable_length,
)
from distilcli.tokenizer.tokenizer import Encoding, Ids, Tokenizer
from distilcli.tokenizer.windows import (
    DEFAULT_STRIDE,
    Truncation,
    Window,
    Windowed,
    cut,
    frame,
    frame_encodings,
)

Item = TypeVar("Item")
Content = TypeVar("Content")
Coded = TypeVar("Coded", bound=Encoded)
Given = ParamSpec("Given")


class Framer:
    """Frames ids for one model; `max_length` counts the tokens of a sequence, specials included.

    With `soft_stride` windows overlap by at most half, so no stride is too long for them. A model
    that reads less than the `default_length` of its task gets shorter sequences.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        config: ModelConfig,
        long_texts: LongTexts,
        *,
        soft_stride: bool = False,
        default_length: int | None = None,
    ) -> None:
        """Raise `UsageError` for lengths without room for text, or a stride as long as a window."""
        self.max_length = usable_length(
            long_texts.max_length,
            tokenizer.max_length,
            config.max_position_embeddings,
            default=default_length,
        )
        self._tokenizer = tokenizer
        self._special = tokenizer.special
        self._cls = array("i", [self._special.cls])
        self._sep = array("i", [self._special.sep])
        self._side = tokenizer.options.truncation_side
        # A tokenizer may have more tokens than the model has embeddings.
        self._not_embedded = {
            token_id: token
            for token_id, token in tokenizer.tokens.items()
            if token_id >= config.vocab_size
        }
        self._soft_stride = soft_stride
        self._has_token_types = config.type_vocab_size > 1
        stride = long_texts.stride
        widest = self.max_length - SPECIALS_OF_A_PAIR
        if stride == DEFAULT_STRIDE >= widest:
            stride = widest // 2  # the default overlap is too long for short windows
        if long_texts.long == "window" and not soft_stride and stride >= widest:
            raise UsageError(
                f"`stride` {stride} is not smaller than a window of {self.max_length} tokens"
            )
        self._long_texts = replace(long_texts, stride=stride)

    def ids(self, texts: Sequence[str]) -> list[Ids]:
        """Return the token ids of texts, as far as the model can read them."""
        if self._long_texts.long == "truncate":
            return self._tokenizer.some_ids(texts, self.max_length, self._side)
        return self._tokenizer.ids(texts)

    def ids_of_pair(self, texts: tuple[str, str], ids: tuple[Ids, Ids]) -> tuple[Ids, Ids]:
        """Return the ids of two texts that are framed together, given those that `ids` found.

        If both may be longer, both are needed whole, because the longer one is cut first.
        """
        if self._long_texts.long == "truncate" and all(len(n) >= self.max_length for n in ids):
            first, second = self._tokenizer.ids(texts)
            return first, second
        return ids

    def encodings(self, texts: Sequence[str], *, sought: str | None = None) -> list[Encoding]:
        """Return the tokens of texts with offsets and words, as far as the model can read them.

        If a token is `sought`, it is found wherever it is.
        """
        if self._long_texts.long != "truncate":
            return self._tokenizer.encode(texts)
        found = self._tokenizer.first_tokens(texts, self.max_length)
        if sought is not None:
            pattern = re.compile(re.escape(sought), re.IGNORECASE)  # it may be lowered first
            for index, (text, encoding) in enumerate(zip(texts, found, strict=True)):
                if encoding and pattern.search(text, encoding.offsets[-1][1]):
                    (found[index],) = self._tokenizer.encode([text])
        return found

    def frame(
        self,
        first: Ids,
        second: Ids | None = None,
        *,
        windowed: Windowed = "second",
    ) -> Encoded:
        """Return the pieces of a text or a pair, of which the text `windowed` is read in windows.

        Raises `RowError` if they do not fit.
        """
        if second is None and len(first) + 2 <= self.max_length:  # nearly always
            return self._encoded([self._cls + first + self._sep])
        framed = frame(
            first,
            second,
            special=self._special,
            max_length=self.max_length,
            long=self._long_texts.long,
            stride=self._stride(first, second, windowed),
            windowed=windowed,
            side=self._side,
        )
        return self._encoded(framed.input_ids, framed.token_type_ids, truncated=framed.truncated)

    def _encoded(
        self,
        input_ids: Sequence[Sequence[int]],
        token_type_ids: Sequence[list[int]] | None = None,
        *,
        truncated: bool = False,
    ) -> Encoded:
        self._check_ids(input_ids)
        if not self._has_token_types:
            return Encoded([Piece(ids) for ids in input_ids], truncated=truncated)
        # A batch may mix pairs and single texts, so all of them need token types.
        longest = [0] * self.max_length
        types = token_type_ids or [
            longest if len(ids) == self.max_length else [0] * len(ids) for ids in input_ids
        ]
        pieces = [Piece(*both) for both in zip(input_ids, types, strict=True)]
        return Encoded(pieces, truncated=truncated)

    def windows(
        self,
        first: Encoding,
        second: Encoding | None = None,
        *,
        truncation: Truncation = "longest_first",
    ) -> tuple[list[Window], bool]:
        """Return the windows of a text or a pair, and whether it was truncated.

        Raises `RowError` if it does not fit.
        """
        cuts = cut(
            len(first),
            None if second is None else len(second),
            max_length=self.max_length,
            long=self._long_texts.long,
            stride=self._stride(first, second, "second"),
            truncation=truncation,
        )
        if cuts.truncated and self._side == "left":
            raise RowError(
                f"longer than {self.max_length} tokens, and the model's tokenizer truncates from "
                "the left, which is supported only for whole texts; use `long` window"
            )
        windows = frame_encodings(first, second, cuts, special=self._special)
        self._check_ids([window.input_ids for window in windows])
        return windows, cuts.truncated

    def _check_ids(self, sequences: Sequence[Sequence[int]]) -> None:
        """Raise `RowError` for a token for which the model has no embedding."""
        if not self._not_embedded:
            return
        for token_id in chain.from_iterable(sequences):
            if token_id in self._not_embedded:
                raise RowError(
                    f"the model has no embedding for the token {self._not_embedded[token_id]!r} "
                    f"(id {token_id}); use the tokenizer that belongs to it"
                )

    def _stride(self, first: Sized, second: Sized | None, windowed: Windowed) -> int:
        stride = self._long_texts.stride
        if not self._soft_stride:
            return stride
        room = self.max_length - 2
        if second is not None:
            room -= 1 + len(first if windowed == "second" else second)
        return max(0, min(stride, room // 2))

    def pieces(self, windows: Sequence[Window]) -> list[Piece]:
        """Return windows as input of the model."""
        return [Piece(window.input_ids, self.token_types(window)) for window in windows]

    def token_types(self, window: Window) -> list[int] | None:
        """Return a window's token types if the model has any."""
        return window.token_type_ids if self._has_token_types else None


def most_context(windows: Sequence[Window]) -> list[tuple[int, int]]:
    """Return the best window of each token of a text, and its position there.

    `windows` are all those of one text, in order; special tokens are left out. The best is the
    one with most context, the largest distance to its nearer end (Devlin's rule for overlapping
    windows), and the first of equals.
    """
    best: list[tuple[int, int, int]] = []
    for number, window in enumerate(windows):
        count = len(window.input_ids) - 2
        for place in range(1, count + 1):
            context = min(place, count + 1 - place)
            token = window.start + place - 1
            if token == len(best):
                best.append((context, number, place))
            elif context > best[token][0]:
                best[token] = (context, number, place)
    return [(number, place) for _, number, place in best]


def most_context_of_words(
    windows: Sequence[Window], firsts: Sequence[int]
) -> list[tuple[int, int]]:
    """Return the same, but all tokens of a word from one window, the best for the whole word.

    `firsts` are the indices of the words' first tokens, in order; each token belongs to a word.
    Only a word that no window has whole is combined from several.
    """
    places = most_context(windows)
    if len(windows) == 1:
        return places
    best = [0] * len(firsts)
    ends = [*firsts[1:], len(places)]
    for number, window in enumerate(windows):
        stop = window.start + len(window.input_ids) - 2
        for word in range(bisect_left(firsts, window.start), len(firsts)):
            first, end = firsts[word], ends[word]
            if end > stop:
                break
            context = min(first - window.start, stop - end) + 1
            if context > best[word]:
                best[word] = context
                places[first:end] = [(number, t - window.start + 1) for t in range(first, end)]
    return places


def pool_windows(rows: Tensor, pieces: Sequence[Piece], how: WindowPooling) -> Tensor:
    """Pool the windows (W, D) of a text to one row (D,); the mean is weighted by their lengths."""
    if len(rows) == 1 or how == "first":
        return rows[0]
    if how == "max":
        return rows.amax(dim=0)
    weights = torch.tensor([float(len(piece)) for piece in pieces])
    return weights @ rows / weights.sum()


def encode_each(
    items: Sequence[Item],
    content_of: Callable[[Item], Content],
    encode: Callable[[Sequence[Content]], Sequence[Coded | RowError]],
) -> list[Coded | RowError]:
    """Encode the contents of items together; an item that cannot be read gives its `RowError`.

    If `encode` raises a `RowError`, the items are encoded one by one.
    """
    contents = [or_error(content_of, item) for item in items]
    readable = [found for found in contents if not isinstance(found, RowError)]
    all_of_them = or_error(encode, readable)
    if isinstance(all_of_them, RowError):
        one_by_one = [or_error(encode, [content]) for content in readable]
        all_of_them = [one if isinstance(one, RowError) else one[0] for one in one_by_one]
    encoded = iter(all_of_them)
    return [found if isinstance(found, RowError) else next(encoded) for found in contents]


def or_error(
    function: Callable[Given, Content], *args: Given.args, **named: Given.kwargs
) -> Content | RowError:
    """Return the result of a function, or the `RowError` that it raises."""
    try:
        return function(*args, **named)
    except RowError as error:
        return error


def no_number() -> RowError:
    """Return the error of a row for which the model returned infinity or NaN."""
    return RowError(
        "the model gave no number for this row; check its weights with `distil params --check`"
    )
