"""Token ids to the sequences a model takes: special tokens, truncation, overlapping windows.

One text becomes `[CLS] a [SEP]`, a pair `[CLS] a [SEP] b [SEP]` with token types 0 and 1. What
does not fit in `max_length` is either cut off or read in windows that overlap by `stride` tokens;
of a pair only one text is windowed, so that the other stands in every window: the second, unless
the first is asked for.

How the texts are cut is decided on their lengths alone (`cut`); `frame` makes sequences of ids,
`frame_encodings` windows that also know the place of each token in its text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from distilcli.errors import RowError
from distilcli.tokenizer.tokenizer import Encoding, SpecialIds

DEFAULT_STRIDE = 128
Long = Literal["truncate", "window", "error"]
Truncation = Literal["longest_first", "only_first", "only_second"]
Windowed = Literal["first", "second"]


@dataclass(frozen=True, slots=True)
class Sequences:
    """What the model sees of one row: one sequence, or a sequence for each window."""

    input_ids: list[list[int]]
    token_type_ids: list[list[int]] | None
    truncated: bool


@dataclass(frozen=True, slots=True)
class Window:
    """One sequence with its special tokens, token by token.

    Special tokens have the offsets (0, 0) and no word. `offsets` are characters of the first text
    where `token_type_ids` is 0, of the second where it is 1; `word_ids` count each text's own.
    `start` is the number, in its text, of the first token of the text that is windowed.
    """

    input_ids: list[int]
    token_type_ids: list[int]
    offsets: list[tuple[int, int]]
    word_ids: list[int | None]
    start: int = 0


@dataclass(frozen=True, slots=True)
class Cuts:
    """Which tokens of the first and of the second text stand in each sequence."""

    first: list[slice]
    second: list[slice] | None
    truncated: bool = False


def frame(
    a: Sequence[int],
    b: Sequence[int] | None,
    *,
    special: SpecialIds,
    max_length: int,
    long: Long,
    stride: int = 0,
    truncation: Truncation = "longest_first",
    windowed: Windowed = "second",
) -> Sequences:
    """Frame the token ids of a text, or of a pair, in special tokens within `max_length`.

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
    )
    if b is None or cuts.second is None:
        framed = [[special.cls, *a[part], special.sep] for part in cuts.first]
        return Sequences(framed, None, cuts.truncated)
    input_ids, token_type_ids = [], []
    for first, second in zip(cuts.first, cuts.second, strict=True):
        head = [special.cls, *a[first], special.sep]
        tail = [*b[second], special.sep]
        input_ids.append(head + tail)
        token_type_ids.append([0] * len(head) + [1] * len(tail))
    return Sequences(input_ids, token_type_ids, cuts.truncated)


def frame_encodings(
    a: Encoding, b: Encoding | None, cuts: Cuts, *, special: SpecialIds
) -> list[Window]:
    """Frame the tokens of a text, or of a pair, as `cuts` says."""
    windows = []
    for number, first in enumerate(cuts.first):
        # Of two texts the one that is not windowed begins at 0.
        start = first.start + (cuts.second[number].start if cuts.second else 0)
        window = Window([special.cls], [0], [(0, 0)], [None], start)
        _extend(window, a, first, 0, special)
        if b is not None and cuts.second is not None:
            _extend(window, b, cuts.second[number], 1, special)
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
) -> Cuts:
    """Cut a text of `a` tokens, or a pair of `a` and `b`, to sequences of at most `max_length`.

    `max_length` counts special tokens; None sets no limit. Raises `RowError` where a text is too
    long and `long` is "error", or where what must stay whole leaves no room for the rest.
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
        return Cuts([slice(0, kept_a)], None if b is None else [slice(0, kept_b)], truncated=True)
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


def _windows(length: int, size: int, stride: int) -> list[slice]:
    """Cut `length` tokens into windows of `size` that overlap by `stride`; the last is shorter."""
    starts = range(0, max(length - stride, 1), size - stride)
    return [slice(start, min(start + size, length)) for start in starts]


def _kept(a: int, b: int | None, room: int, truncation: Truncation) -> tuple[int, int]:
    """Return how many tokens of each text are kept, from the left."""
    if b is None:
        return room, 0
    if truncation == "longest_first":
        # One token at a time off the longer text ends either with the shorter one whole or with
        # two halves; the longer text keeps the odd token.
        shorter = min(a, b, room // 2)
        return (room - shorter, shorter) if a > b else (shorter, room - shorter)
    whole, name = (b, "second") if truncation == "only_first" else (a, "first")
    if whole >= room:
        raise RowError(
            f"the {name} text of the pair takes {whole} tokens and leaves no room for the other; "
            "use `truncation` longest_first"
        )
    return (room - whole, whole) if truncation == "only_first" else (whole, room - whole)
