import random
from collections import Counter
from itertools import pairwise
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from distilcli.engine.batching import Piece
from distilcli.training.objectives.words import Words, augmented

CLS, SEP, CONTINUED = 2, 3, range(20, 30)


# As much of a tokenizer as words need: ids from 20 on continue a word.
VOCABULARY = SimpleNamespace(
    special=SimpleNamespace(cls=CLS, sep=SEP),
    tokens={number: f"##{number}" if number in CONTINUED else str(number) for number in range(30)},
)
WORDS = Words(VOCABULARY)  # type: ignore[arg-type]
TEXTS = st.lists(st.integers(5, 29), max_size=12)


def sequence(*texts: list[int]) -> list[int]:
    return [CLS, *(number for text in texts for number in [*text, SEP])]


def test_a_word_is_a_token_and_the_pieces_after_it() -> None:
    ids = sequence([7, 21, 22, 8], [25, 9])
    assert WORDS.of(ids) == [
        [range(1, 4), range(4, 5)],
        # A window may begin within a word.
        [range(6, 7), range(7, 8)],
    ]
    assert WORDS.of(sequence([], [])) == [[], []]


def words(text: list[int]) -> Counter[tuple[int, ...]]:
    ids = sequence(text)
    return Counter(tuple(ids[place] for place in word) for word in WORDS.of(ids)[0])


@given(TEXTS, TEXTS, st.integers(0, 99))
def test_nothing_is_changed_at_rate_0_and_nothing_invented_above(
    first: list[int], second: list[int], seed: int
) -> None:
    ids = sequence(first, second)
    types = [0] * (len(first) + 2) + [1] * (len(second) + 1)
    same = augmented(Piece(ids, types), WORDS, random.Random(seed), rate=0)
    assert (same.input_ids, same.token_type_ids) == (ids, types)
    found = augmented(Piece(ids, types), WORDS, random.Random(seed), rate=0.4)
    assert len(found) <= len(ids)
    assert found.token_type_ids is not None
    assert len(found.token_type_ids) == len(found)
    for text, kind in ((first, 0), (second, 1)):
        pairs = zip(found.input_ids, found.token_type_ids, strict=True)
        kept = [number for number, of in pairs if of == kind and number not in {CLS, SEP}]
        assert bool(kept) == bool(text)
        if text and text[0] not in CONTINUED:
            assert words(kept) <= words(text)


def test_words_are_left_out_and_swapped_at_the_rate() -> None:
    ids = sequence(list(range(5, 15)))
    draw, kept, moved, rounds = random.Random(0), 0, 0, 2_000
    for _ in range(rounds):
        found = augmented(Piece(ids), WORDS, draw, rate=0.2).input_ids[1:-1]
        kept += len(found)
        moved += sum(one > other for one, other in pairwise(found))
    assert abs(kept / rounds / 10 - 0.8) < 0.02
    # Of k words each that has not just moved changes places with the next: about k·r/(1+r).
    assert abs(moved / kept - 0.2 / 1.2) < 0.03
