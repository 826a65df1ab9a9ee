"""conlleval's table, worked out by hand: where entities begin and end in all forms of tags."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.scores.entities import entity_counts, entity_scores, parse_tag, spans
from distilcli.scores.precision_recall import PrecisionRecall

TAGS = ["O", *(f"{place}-{kind}" for place in "BIES" for kind in ("X", "Y"))]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("B-X I-X O", [("X", 0, 2)]),
        ("O I-X I-X", [("X", 1, 3)]),  # I begins one after O, as in the first form of BIO
        ("I-X B-X I-X", [("X", 0, 1), ("X", 1, 3)]),  # B parts two that touch
        ("B-X I-Y", [("X", 0, 1), ("Y", 1, 2)]),  # another type begins another
        ("B-X I-X I-Y I-X", [("X", 0, 2), ("Y", 2, 3), ("X", 3, 4)]),
        ("B-X B-X", [("X", 0, 1), ("X", 1, 2)]),
        ("B-X E-X S-X", [("X", 0, 2), ("X", 2, 3)]),
        ("B-X E-X E-X I-X", [("X", 0, 2), ("X", 2, 3), ("X", 3, 4)]),  # nothing goes on after E
        ("S-X I-X", [("X", 0, 1), ("X", 1, 2)]),  # nor after S
        ("B-X L-X U-Y", [("X", 0, 2), ("Y", 2, 3)]),
        ("B I O B", [("_", 0, 2), ("_", 3, 4)]),
        ("X X O Y", [("X", 0, 2), ("Y", 3, 4)]),  # plain labels
        ("B-a-b I-a-b", [("a-b", 0, 2)]),
        ("_ O", []),
    ],
)
def test_where_entities_are(tags: str, expected: list[tuple[str, int, int]]) -> None:
    assert spans(map(parse_tag, tags.split())) == expected


def test_figures_by_hand() -> None:
    expected = [["B-X", "I-X", "O", "B-Y"], ["O", "B-Y"]]
    predicted = [["B-X", "I-X", "O", "B-X"], ["B-Y", "I-Y"]]
    found = entity_scores(expected, predicted)
    # right: X at 0-2; found: that, X at 3, Y at 0-2; there: X, Y, Y
    assert found.micro == PrecisionRecall(1 / 3, 1 / 3, 1 / 3, 3)
    assert found.types == {
        "X": PrecisionRecall(1 / 2, 1.0, pytest.approx(2 / 3), 1),
        "Y": PrecisionRecall(0.0, 0.0, 0.0, 2),
    }
    assert found.accuracy == pytest.approx(3 / 6)


def test_forms_of_tags_may_differ() -> None:
    found = entity_scores([["I-X", "I-X", "O", "S-Y"]], [["B-X", "E-X", "O", "B-Y"]])
    assert found.micro.f1 == 1.0


def test_an_entity_does_not_go_on_in_the_next_sentence() -> None:
    assert entity_scores([["B-X"], ["I-X"]], [["B-X"], ["B-X"]]).micro.f1 == 1.0


def test_some_sentences_only() -> None:
    counts = entity_counts([["B-X"], ["B-X"]], [["B-X"], ["O"]])
    assert counts.scores(slice(0, 1)).micro.recall == 1.0
    assert counts.scores().micro.recall == 0.5


def test_no_entities_at_all() -> None:
    found = entity_scores([["O"]], [["O"]])
    assert found.micro == PrecisionRecall(0.0, 0.0, 0.0, 0)
    assert found.types == {}
    assert entity_scores([], []).accuracy == 0.0


def test_as_many_tags_as_words() -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        entity_scores([["O", "O"]], [["O"]])


@given(st.lists(st.sampled_from(TAGS), max_size=12))
def test_every_tag_inside_is_in_one_entity(tags: list[str]) -> None:
    found = spans(map(parse_tag, tags))
    covered = [place for span in found for place in range(span.start, span.stop)]
    assert covered == [place for place, tag in enumerate(tags) if tag != "O"]
