"""Token ids to the sequences a model takes: special tokens, truncation, overlapping windows.

One text becomes `[CLS] a [SEP]`, a pair `[CLS] a [SEP] b [SEP]` with token types 0 and 1. What
does not fit in `max_length` is either cut off or read in windows that overlap by `stride` tokens;
of a pair only the second text is windowed, so that the first stands in every window.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from distilcli.errors import RowError
from distilcli.tokenizer.fast import SpecialIds

Long = Literal["truncate", "window", "error"]


@dataclass(frozen=True, slots=True)
class Sequences:
    """What the model sees of one row: one sequence, or a sequence for each window."""

    input_ids: list[list[int]]
    token_type_ids: list[list[int]] | None
    truncated: bool


def frame(
    a: Sequence[int],
    b: Sequence[int] | None,
    *,
    special: SpecialIds,
    max_length: int,
    long: Long,
    stride: int = 0,
) -> Sequences:
    """Frame the token ids of a text, or of a pair, in special tokens within `max_length`.

    Truncation takes tokens off the end of the longer text first. Raises `RowError` where a text
    is too long and `long` is "error", or where the first of a pair leaves no room for a window.
    """
    room = max_length - (2 if b is None else 3)
    total = len(a) + len(b or ())
    if total <= room:
        return _sequences([(a, b)], special, truncated=False)
    if long == "error":
        raise RowError(
            f"{total + max_length - room} tokens, the limit is {max_length}; "
            "use --long truncate or --long window"
        )
    if long == "truncate":
        return _sequences([_cut(a, b, room)], special, truncated=True)
    if b is None:
        return _sequences([(part, None) for part in _windows(a, room, stride)], special)
    room -= len(a)
    if room <= stride:
        raise RowError(
            f"the first text of the pair takes {len(a)} of {max_length} tokens and leaves no "
            "room for windows over the second; use --long truncate"
        )
    return _sequences([(a, part) for part in _windows(b, room, stride)], special)


def _windows(ids: Sequence[int], size: int, stride: int) -> list[Sequence[int]]:
    """Cut `ids` into windows of `size` that overlap by `stride`; the last one may be shorter."""
    step = size - stride
    return [ids[start : start + size] for start in range(0, max(len(ids) - stride, 1), step)]


def _cut(
    a: Sequence[int], b: Sequence[int] | None, room: int
) -> tuple[Sequence[int], Sequence[int] | None]:
    if b is None:
        return a[:room], None
    # One token at a time off the longer text ends either with the shorter one whole or with two
    # halves; the longer text keeps the odd token.
    shorter = min(len(a), len(b), room // 2)
    longer = room - shorter
    return (a[:longer], b[:shorter]) if len(a) > len(b) else (a[:shorter], b[:longer])


def _sequences(
    parts: Sequence[tuple[Sequence[int], Sequence[int] | None]],
    special: SpecialIds,
    *,
    truncated: bool = False,
) -> Sequences:
    input_ids, token_type_ids = [], []
    for a, b in parts:
        first = [special.cls, *a, special.sep]
        second = [] if b is None else [*b, special.sep]
        input_ids.append(first + second)
        token_type_ids.append([0] * len(first) + [1] * len(second))
    paired = any(b is not None for _, b in parts)
    return Sequences(input_ids, token_type_ids if paired else None, truncated)
