from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.errors import RowError
from distilcli.tokenizer.tokenizer import Encoding, SpecialIds
from distilcli.tokenizer.windows import Truncation, cut, frame, frame_encodings

CLS, SEP = 101, 102
SPECIAL = SpecialIds(cls=CLS, sep=SEP, pad=0, unk=100)


def test_a_text_and_a_pair() -> None:
    one = frame([1, 2], None, special=SPECIAL, max_length=8, long="truncate")
    assert (one.input_ids, one.token_type_ids, one.truncated) == ([[CLS, 1, 2, SEP]], None, False)
    two = frame([1, 2], [3], special=SPECIAL, max_length=8, long="truncate")
    assert two.input_ids == [[CLS, 1, 2, SEP, 3, SEP]]
    assert two.token_type_ids == [[0, 0, 0, 0, 1, 1]]


def test_an_empty_text_is_a_sequence() -> None:
    framed = frame([], None, special=SPECIAL, max_length=8, long="window", stride=2)
    assert framed.input_ids == [[CLS, SEP]]
    assert frame([], [], special=SPECIAL, max_length=8, long="window").input_ids == [
        [CLS, SEP, SEP]
    ]


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
