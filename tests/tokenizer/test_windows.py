from array import array
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from distilcli.errors import RowError
from distilcli.tokenizer import windows
from distilcli.tokenizer.tokenizer import Encoding, SpecialIds
from distilcli.tokenizer.windows import Sequences, Truncation, cut, frame_encodings

SPECIAL = SpecialIds(cls=1, sep=2, pad=0, unk=3)
CLS, SEP = SPECIAL.cls, SPECIAL.sep
A, B = list(range(10, 20)), list(range(30, 36))


def frame(a: Sequence[int], b: Sequence[int] | None, **settings: Any) -> Sequences:
    """Return what `windows.frame` does for these ids, as lists; check the views on long texts."""
    arrays = array("i", a), None if b is None else array("i", b)
    found = windows.frame(*arrays, **settings)
    input_ids: list[Sequence[int]] = [list(each) for each in found.input_ids]
    assert [len(each) for each in found.input_ids] == [len(each) for each in input_ids]
    assert [list(each[1:3]) for each in found.input_ids] == [each[1:3] for each in input_ids]
    return replace(found, input_ids=input_ids)


def test_a_text_that_fits_is_framed_whole() -> None:
    found = frame(A, None, special=SPECIAL, max_length=12, long="error")
    assert found == Sequences([[CLS, *A, SEP]], None, truncated=False)


def test_a_pair_that_fits_has_token_types() -> None:
    found = frame(A, B, special=SPECIAL, max_length=19, long="error")
    assert found.input_ids == [[CLS, *A, SEP, *B, SEP]]
    assert found.token_type_ids == [[0] * 12 + [1] * 7]
    assert not found.truncated


def test_an_empty_text_is_its_specials() -> None:
    assert frame([], None, special=SPECIAL, max_length=4, long="window").input_ids == [[CLS, SEP]]


def test_what_is_too_long_is_cut_off_and_told() -> None:
    found = frame(A, None, special=SPECIAL, max_length=6, long="truncate")
    assert found == Sequences([[CLS, *A[:4], SEP]], None, truncated=True)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(4, 16))
def test_pairs_are_cut_as_the_tokenizers_package_cuts_them(a: int, b: int, length: int) -> None:
    words = {f"a{n}": 10 + n for n in range(12)} | {f"b{n}": 30 + n for n in range(12)}
    oracle = Tokenizer(WordLevel(words, unk_token="a0"))
    oracle.enable_truncation(length - 3, strategy="longest_first")
    first, second = [f"a{n}" for n in range(a)], [f"b{n}" for n in range(b)]
    expected = oracle.encode(first, second, is_pretokenized=True, add_special_tokens=False).ids
    found = frame(
        [words[w] for w in first],
        [words[w] for w in second],
        special=SPECIAL,
        max_length=length,
        long="truncate",
    )
    assert [i for i in found.input_ids[0] if i not in (CLS, SEP)] == expected
    assert found.truncated == (a + b > length - 3)


@pytest.mark.slow
@given(st.integers(0, 60), st.integers(4, 20), st.data())
def test_windows_hold_every_token_and_overlap_by_the_stride(
    total: int, max_length: int, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(0, max_length - 3))
    ids = list(range(100, 100 + total))
    found = frame(ids, None, special=SPECIAL, max_length=max_length, long="window", stride=stride)
    inside = [sequence[1:-1] for sequence in found.input_ids]
    assert all((s[0], s[-1]) == (CLS, SEP) for s in found.input_ids)
    assert all(len(s) <= max_length for s in found.input_ids)
    joined = [*inside[0], *(token for window in inside[1:] for token in window[stride:])]
    assert joined == ids
    for before, after in pairwise(inside):
        assert len(before) == max_length - 2
        assert before[len(before) - stride :] == after[:stride]
        assert len(after) > stride  # no window without a token of its own
    assert not found.truncated


def test_of_a_pair_the_second_text_is_windowed() -> None:
    found = frame(A[:2], B, special=SPECIAL, max_length=9, long="window", stride=1)
    assert found.input_ids == [
        [CLS, *A[:2], SEP, *B[0:4], SEP],
        [CLS, *A[:2], SEP, *B[3:6], SEP],
    ]
    assert found.token_type_ids == [[0] * 4 + [1] * 5, [0] * 4 + [1] * 4]


def test_of_a_pair_the_first_text_is_windowed_where_that_is_asked_for() -> None:
    found = frame(
        A[:6], B[:2], special=SPECIAL, max_length=9, long="window", stride=1, windowed="first"
    )
    assert found.input_ids == [
        [CLS, *A[0:4], SEP, *B[:2], SEP],
        [CLS, *A[3:6], SEP, *B[:2], SEP],
    ]
    assert found.token_type_ids == [[0] * 6 + [1] * 3, [0] * 5 + [1] * 3]
    with pytest.raises(RowError, match=r"the second text .* room for windows over the first"):
        frame(A, B, special=SPECIAL, max_length=10, long="window", stride=1, windowed="first")


def test_too_long_is_an_error_where_that_is_asked_for() -> None:
    with pytest.raises(RowError, match="12 tokens, the limit is 11; use `long` truncate or window"):
        frame(A, None, special=SPECIAL, max_length=11, long="error")
    with pytest.raises(RowError, match="19 tokens, the limit is 18"):
        frame(A, B, special=SPECIAL, max_length=18, long="error")


def test_a_first_text_that_leaves_no_room_is_an_error() -> None:
    with pytest.raises(RowError, match="the first text of the pair takes 10 of 14 tokens"):
        frame(A, B, special=SPECIAL, max_length=14, long="window", stride=1)


@pytest.mark.parametrize(
    ("a", "b", "truncation", "kept"),
    [
        (9, None, "longest_first", (6, None)),
        (9, 2, "longest_first", (3, 2)),
        (2, 9, "longest_first", (2, 3)),
        (9, 9, "longest_first", (2, 3)),
        (10, 9, "longest_first", (3, 2)),
        (9, 3, "only_first", (2, 3)),
        (3, 9, "only_second", (3, 2)),
    ],
)
def test_truncation(
    a: int, b: int | None, truncation: Truncation, kept: tuple[int, int | None]
) -> None:
    cuts = cut(a, b, max_length=8, long="truncate", truncation=truncation)
    assert cuts.truncated
    assert cuts.first == [slice(0, kept[0])]
    assert cuts.second == (None if b is None else [slice(0, kept[1])])


@pytest.mark.parametrize(("truncation", "a", "b"), [("only_first", 9, 5), ("only_second", 5, 9)])
def test_a_text_that_must_stay_whole_leaves_no_room(truncation: Truncation, a: int, b: int) -> None:
    with pytest.raises(RowError, match="takes 5 tokens and leaves no room for the other"):
        cut(a, b, max_length=8, long="truncate", truncation=truncation)


def test_too_long_is_an_error_if_wanted() -> None:
    with pytest.raises(RowError, match="11 tokens, the limit is 10"):
        cut(9, None, max_length=10, long="error")
    with pytest.raises(RowError, match="leaves no room for windows"):
        cut(9, 9, max_length=10, long="window", stride=0)


def test_no_limit() -> None:
    assert cut(10_000, 10_000, max_length=None, long="error").first == [slice(0, 10_000)]


@given(
    a=st.integers(0, 60),
    b=st.none() | st.integers(0, 60),
    max_length=st.integers(8, 40),
    stride=st.integers(0, 4),
    data=st.data(),
)
def test_windows_cover_everything(
    a: int, b: int | None, max_length: int, stride: int, data: st.DataObject
) -> None:
    if b is not None:
        a = data.draw(st.integers(0, max_length - 3 - stride - 1))
    cuts = cut(a, b, max_length=max_length, long="window", stride=stride)
    assert not cuts.truncated
    windowed, length = (cuts.first, a) if b is None or cuts.second is None else (cuts.second, b)
    assert windowed[0].start == 0
    assert windowed[-1].stop == length
    for before, after in pairwise(windowed):
        assert before.stop - after.start == stride
        assert after.stop > before.stop
    if b is not None:
        assert cuts.first == [slice(0, a)] * len(windowed)
    texts = 2 if b is None else 3
    for number, part in enumerate(windowed):
        first = 0 if b is None else cuts.first[number].stop
        assert part.stop - part.start + first + texts <= max_length


def test_windows_of_a_first_text_know_where_they_begin() -> None:
    a = Encoding([2, 3, 4, 5], [(0, 1), (1, 3), (4, 5), (5, 9)], [0, 0, 1, 2])
    b = Encoding([1], [(0, 4)], [0])
    cuts = cut(4, 1, max_length=7, long="window", stride=1, windowed="first")
    first, second = frame_encodings(a, b, cuts, special=SPECIAL)
    assert (first.start, second.start) == (0, 2)
    assert second.input_ids == [CLS, 4, 5, SEP, 1, SEP]
    assert second.offsets == [(0, 0), (4, 5), (5, 9), (0, 0), (0, 4), (0, 0)]


def test_windows_map_back_to_the_text() -> None:
    a = Encoding([1], [(0, 4)], [0])
    b = Encoding([2, 3, 4, 5], [(0, 1), (1, 3), (4, 5), (5, 9)], [0, 0, 1, 2])
    cuts = cut(1, 4, max_length=7, long="window", stride=1)
    first, second = frame_encodings(a, b, cuts, special=SPECIAL)
    assert first.input_ids == [CLS, 1, SEP, 2, 3, 4, SEP]
    assert second.input_ids == [CLS, 1, SEP, 4, 5, SEP]
    assert second.token_type_ids == [0, 0, 0, 1, 1, 1]
    assert second.offsets == [(0, 0), (0, 4), (0, 0), (4, 5), (5, 9), (0, 0)]
    assert second.word_ids == [None, 0, None, 1, 2, None]


def test_texts_may_be_truncated_from_the_left() -> None:
    found = frame(A, None, special=SPECIAL, max_length=6, long="truncate", side="left")
    assert found.input_ids == [[CLS, *A[-4:], SEP]]
    assert found.truncated
    short = frame(A[:2], None, special=SPECIAL, max_length=6, long="truncate", side="left")
    assert short.input_ids == [[CLS, *A[:2], SEP]]
    cuts = cut(6, 9, max_length=9, long="truncate", side="left")
    assert (cuts.first, cuts.second) == ([slice(3, 6)], [slice(6, 9)])
