"""Token ids to the sequences a model takes: special tokens, truncation, overlapping windows.

One text becomes `[CLS] a [SEP]`, a pair `[CLS] a [SEP] b [SEP]` with token types 0 and 1. Texts
longer than `max_length` are truncated or split into windows that overlap by `stride` tokens. Of a
pair only one text is windowed, by default the second; the other is whole in every window.

`cut` decides from the lengths alone; `frame` makes sequences of ids, `frame_encodings` windows
with the offsets of each token. The windows of a text share its tokens.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, overload

from distilcli.errors import RowError
from distilcli.tokenizer.options import Side
from distilcli.tokenizer.tokenizer import Encoding, Ids, SpecialIds

DEFAULT_STRIDE = 128
Long = Literal["truncate", "window", "error"]
Truncation = Literal["longest_first", "only_first", "only_second"]
Windowed = Literal["first", "second"]


@dataclass(frozen=True, slots=True)
class Sequences:
    """The sequences of one row: one, or one per window."""

    input_ids: list[Sequence[int]]
    token_type_ids: list[list[int]] | None
    truncated: bool


class Framed(Sequence[int]):
    """A part of the tokens of a text with others around it: a view, not a copy."""

    __slots__ = ("_after", "_before", "_part", "_tokens")

    def __init__(self, before: Ids, tokens: Ids, part: slice, after: Ids) -> None:
        self._before, self._tokens, self._part, self._after = before, tokens, part, after

    def __len__(self) -> int:
        inside = self._part.stop - self._part.start
        return len(self._before) + int(inside) + len(self._after)

    def __iter__(self) -> Iterator[int]:
        return chain(self._before, self._tokens[self._part], self._after)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> list[int]: ...
    def __getitem__(self, index: int | slice) -> int | list[int]:
        return list(self)[index]


@dataclass(frozen=True, slots=True)
class Window:
    """One sequence with its special tokens, token by token.

    Special tokens have the offsets (0, 0) and no word. `offsets` are characters of the first text
    for token type 0, of the second for 1; `word_ids` count the words of each text. `start` is the
    index of the first token of this window in the windowed text.
    """

    input_ids: list[int]
    token_type_ids: list[int]
    offsets: list[tuple[int, int]]
    word_ids: list[int | None]
    start: int = 0


@dataclass(frozen=True, slots=True)
class Cuts:
    """The tokens of the first and of the second text in each sequence."""

    first: list[slice]
    second: list[slice] | None
    truncated: bool = False


def frame(
    a: Ids,
    b: Ids | None,
    *,
    special: SpecialIds,
    max_length: int,
    long: Long,
    stride: int = 0,
    truncation: Truncation = "longest_first",
    windowed: Windowed = "second",
    side: Side = "right",
) -> Sequences:
    """Frame the token ids of a text or a pair in special tokens, within `max_length`.

    Raises `RowError` as `cut` does.
    """
    cuts = cut(
        len(a),
        None if b is None else len(b),
        max_length=max_length,
        long=long,
        stride=stride,
        truncation=truncation,
        windowed=windowed,
        side=side,
    )
    cls, sep = array("i", [special.cls]), array("i", [special.sep])
    join = _joined if len(cuts.first) == 1 else Framed
    if b is None or cuts.second is None:
        return Sequences([join(cls, a, part, sep) for part in cuts.first], None, cuts.truncated)
    input_ids: list[Sequence[int]] = []
    types: dict[tuple[int, int], list[int]] = {}  # windows of one shape share them
    token_type_ids = []
    for first, second in zip(cuts.first, cuts.second, strict=True):
        if windowed == "first":
            found = join(cls, a, first, sep + b[second] + sep)
        else:
            found = join(cls + a[first] + sep, b, second, sep)
        shape = first.stop - first.start + 2, len(found)
        input_ids.append(found)
        token_type_ids.append(types.setdefault(shape, [0] * shape[0] + [1] * (shape[1] - shape[0])))
    return Sequences(input_ids, token_type_ids, cuts.truncated)


def _joined(before: Ids, tokens: Ids, part: slice, after: Ids) -> Ids:
    return before + tokens[part] + after


def frame_encodings(
    a: Encoding, b: Encoding | None, cuts: Cuts, *, special: SpecialIds
) -> list[Window]:
    """Frame the tokens of a text or a pair as `cuts` says."""
    windows = []
    for index, first in enumerate(cuts.first):
        # In a pair, the text that is not windowed starts at 0.
        start = first.start + (cuts.second[index].start if cuts.second else 0)
        window = Window([special.cls], [0], [(0, 0)], [None], start)
        _extend(window, a, first, 0, special)
        if b is not None and cuts.second is not None:
            _extend(window, b, cuts.second[index], 1, special)
        windows.append(window)
    return windows


def _extend(
    window: Window, encoding: Encoding, part: slice, token_type: int, special: SpecialIds
) -> None:
    ids = encoding.ids[part]
    window.input_ids.extend((*ids, special.sep))
    window.token_type_ids.extend([token_type] * (len(ids) + 1))
    window.offsets.extend((*encoding.offsets[part], (0, 0)))
    window.word_ids.extend((*encoding.word_ids[part], None))


def cut(
    a: int,
    b: int | None,
    *,
    max_length: int | None,
    long: Long,
    stride: int = 0,
    truncation: Truncation = "longest_first",
    windowed: Windowed = "second",
    side: Side = "right",
) -> Cuts:
    """Cut a text of `a` tokens, or a pair of `a` and `b`, to sequences of at most `max_length`.

    `max_length` counts special tokens; None sets no limit. `side` is the end at which texts are
    truncated. Raises `RowError` if a text is too long
    and `long` is "error", or if a text that must stay whole leaves no room for the other.
    """
    total = a + (b or 0)
    if max_length is None or total <= (room := max_length - (2 if b is None else 3)):
        return Cuts([slice(0, a)], None if b is None else [slice(0, b)])
    if long == "error":
        raise RowError(
            f"{total + max_length - room} tokens, the limit is {max_length}; "
            "use `long` truncate or window"
        )
    if long == "truncate":
        kept_a, kept_b = _kept(a, b, room, truncation)
        second = None if b is None else [_slice(b, kept_b, side)]
        return Cuts([_slice(a, kept_a, side)], second, truncated=True)
    if b is None:
        return Cuts(_windows(a, room, stride), None)
    whole, sliding = (a, b) if windowed == "second" else (b, a)
    room -= whole
    if room <= stride:
        kept = "first" if windowed == "second" else "second"
        raise RowError(
            f"the {kept} text of the pair takes {whole} of {max_length} tokens and leaves no "
            f"room for windows over the {windowed}; use `long` truncate"
        )
    windows = _windows(sliding, room, stride)
    still = [slice(0, whole)] * len(windows)
    return Cuts(still, windows) if windowed == "second" else Cuts(windows, still)


def _slice(length: int, kept: int, side: Side) -> slice:
    return slice(0, kept) if side == "right" else slice(length - kept, length)


def _windows(length: int, size: int, stride: int) -> list[slice]:
    """Split `length` tokens into windows of `size` that overlap by `stride`."""
    starts = range(0, max(length - stride, 1), size - stride)
    return [slice(start, min(start + size, length)) for start in starts]


def _kept(a: int, b: int | None, room: int, truncation: Truncation) -> tuple[int, int]:
    """Return the number of tokens kept of each text."""
    if b is None:
        return room, 0
    if truncation == "longest_first":
        # Removing one token at a time from the longer text leaves the shorter one whole, or two
        # halves, of which the longer text gets the odd token.
        shorter = min(a, b, room // 2)
        return (room - shorter, shorter) if a > b else (shorter, room - shorter)
    whole, name = (b, "second") if truncation == "only_first" else (a, "first")
    if whole >= room:
        raise RowError(
            f"the {name} text of the pair takes {whole} tokens and leaves no room for the other; "
            "use `truncation` longest_first"
        )
    return (room - whole, whole) if truncation == "only_first" else (whole, room - whole)
