import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.errors import ModelError
from distilcli.tasks.labels import LabelScheme, Span

BIO = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
BIOES = (*BIO, "E-PER", "S-PER", "E-LOC", "S-LOC")
BILOU = (*BIO, "L-PER", "U-PER", "L-LOC", "U-LOC")
PLAIN = ("O", "name", "place")


def spans(labels: tuple[str, ...], *tags: str | None) -> list[tuple[str, int, int]]:
    scheme = LabelScheme(labels, source="m")
    return [tuple(s) for s in scheme.spans([None if t is None else labels.index(t) for t in tags])]


@pytest.mark.parametrize(
    ("labels", "tags", "expected"),
    [
        (BIO, "B-PER I-PER O B-LOC", [("PER", 0, 2), ("LOC", 3, 4)]),
        (BIO, "B-PER B-PER", [("PER", 0, 1), ("PER", 1, 2)]),
        # IOB1: B- only between two that touch.
        (BIO, "I-PER I-PER O I-LOC B-LOC I-LOC", [("PER", 0, 2), ("LOC", 3, 4), ("LOC", 4, 6)]),
        (BIO, "B-PER I-LOC I-LOC", [("PER", 0, 1), ("LOC", 1, 3)]),
        (BIOES, "B-PER I-PER E-PER S-PER S-PER", [("PER", 0, 3), ("PER", 3, 4), ("PER", 4, 5)]),
        (BIOES, "B-PER E-PER I-PER", [("PER", 0, 2), ("PER", 2, 3)]),
        (BIOES, "E-PER E-PER", [("PER", 0, 1), ("PER", 1, 2)]),
        (BIOES, "I-PER E-LOC", [("PER", 0, 1), ("LOC", 1, 2)]),
        (BILOU, "B-PER L-PER U-LOC O I-LOC L-LOC", [("PER", 0, 2), ("LOC", 2, 3), ("LOC", 4, 6)]),
        (PLAIN, "name name O name place", [("name", 0, 2), ("name", 3, 4), ("place", 4, 5)]),
        (("O", "B", "I"), "B I O I", [("_", 0, 2), ("_", 3, 4)]),
        (("E-mail", "O", "phone"), "E-mail E-mail phone", [("E-mail", 0, 2), ("phone", 2, 3)]),
        (("NN", "VB"), "NN NN VB", [("NN", 0, 2), ("VB", 2, 3)]),
        ((*BIO, "[CLS]", "[SEP]"), "[CLS] B-PER [SEP] I-PER", [("PER", 1, 2), ("PER", 3, 4)]),
        (("O", "B-A-B", "I-A-B"), "B-A-B I-A-B", [("A-B", 0, 2)]),
    ],
)
def test_entities_of_labels(
    labels: tuple[str, ...], tags: str, expected: list[tuple[str, int, int]]
) -> None:
    assert spans(labels, *tags.split()) == expected


def test_a_word_without_a_label_is_in_no_entity() -> None:
    assert spans(BIO, "B-PER", None, "I-PER") == [("PER", 0, 1), ("PER", 2, 3)]
    assert spans(BIO) == []


def chunk_starts(before: tuple[str, str], tag: tuple[str, str]) -> bool:
    """Say whether a chunk starts, by the table of cases of conlleval.

    `before` and `tag` are the position and the type of two labels side by side.
    """
    (last, last_type), (this, this_type) = before, tag
    cases = {
        ("E", "E"), ("E", "I"), ("S", "E"), ("S", "I"), ("O", "E"), ("O", "I"),
    }  # fmt: skip
    return this in {"B", "S"} or (last, this) in cases or (this != "O" and last_type != this_type)


@given(st.lists(st.sampled_from(BIOES), max_size=12))
def test_every_sequence_is_read_as_conlleval_reads_it(tags: list[str]) -> None:
    parts = [tuple(tag.split("-")) if tag != "O" else ("O", "") for tag in tags]
    expected: list[Span] = []
    for place, (before, tag) in enumerate(itertools.pairwise([("O", ""), *parts])):
        if chunk_starts(before, tag):
            expected.append(Span(tag[1], place, place + 1))
        elif tag[0] != "O":
            expected[-1] = expected[-1]._replace(stop=place + 1)
    scheme = LabelScheme(BIOES, source="m")
    assert scheme.spans([BIOES.index(tag) for tag in tags]) == expected


@given(st.lists(st.sampled_from(BIO), max_size=12))
def test_bilou_is_bioes_by_other_letters(tags: list[str]) -> None:
    assert spans(BILOU, *tags) == spans(BIOES, *tags) == spans(BIO, *tags)


def test_types_are_in_the_order_of_the_labels() -> None:
    scheme = LabelScheme(BIOES, source="m")
    assert (scheme.types, scheme.outside) == (("PER", "LOC"), "O")
    assert LabelScheme(("NN", "VB"), source="m").outside is None


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (("O", "B-PER", "I-PER", "place"), "m: its labels are no known scheme: 'place' beside 'B-"),
        (("O", "B-PER", "X-PER"), "no known scheme: 'X-PER' beside 'B-PER'; BIO, BIOES"),
        (("O", "B-PER", "S-PER", "L-PER"), "they begin with B, L, S; BIO, BIOES or BILOU do not"),
    ],
)
def test_labels_of_no_known_scheme(labels: tuple[str, ...], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        LabelScheme(labels, source="m")
