import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.scores.entities import parse_tag, spans
from distilcli.scores.tag_spelling import as_bio2, is_iob1, usual_spellings

IOB1 = [["I-X", "B-X", "O"], ["I-Y", "I-X"]]


@pytest.mark.parametrize(
    ("labels", "usual"),
    [
        ("O B-PER I-PER", "O B-PER I-PER"),
        ("o B-PER I-PER", "O B-PER I-PER"),
        ("O B_PER I_PER", "O B-PER I-PER"),
        ("o b-PER i-PER", "O B-PER I-PER"),
        ("O PER-B PER-I", "O B-PER I-PER"),
        ("NER=O NER=B-PER NER=I-PER", "O B-PER I-PER"),
        ("NER=O PER-B PER-I", "O B-PER I-PER"),
        ("tag=none B_PER I_PER", "O B-PER I-PER"),
        ("O Case=Nom X", "O Case=Nom X"),
        ("O B-PER M-PER E-PER W-PER", "O B-PER I-PER E-PER S-PER"),
        ("O B_PER M_PER E_PER S_PER", "O B-PER I-PER E-PER S-PER"),
        ("none PER ORG", "O PER ORG"),
        ("O B:PER I:PER", "O B-PER I-PER"),
        ("0 B-PER I-PER", "O B-PER I-PER"),
        ("_ B_PER I_PER", "O B-PER I-PER"),
        ("OUT PER-B PER-I", "O B-PER I-PER"),
        ("0 PER LOC", "0 PER LOC"),
        ("OTHER B-PER", "O B-PER"),
        ("O E-mail B_cell", "O E-mail B_cell"),
        ("O vitamin-B vitamin-C", "O vitamin-B vitamin-C"),
        ("NN VB DT", "NN VB DT"),
        ("Case=Nom Number=Sing", "Case=Nom Number=Sing"),
        ("B I O", "B I O"),
    ],
)
def test_spellings_of_other_tools(labels: str, usual: str) -> None:
    found = usual_spellings(labels.split())
    assert [found[label] for label in labels.split()] == usual.split()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (IOB1, True),
        ([["B-X", "I-X", "O"]], False),
        ([["I-X", "O", "I-X", "I-X"]], None),
        ([["I-X", "B-Y"]], False),
        ([["I-X", "E-X"]], False),
        ([["X", "O"]], None),
        ([], None),
    ],
)
def test_iob1_is_known_by_touching_entities(rows: list[list[str]], expected: bool | None) -> None:
    assert is_iob1(rows) is expected


@given(st.lists(st.sampled_from(["O", "I-X", "B-X", "I-Y", "B-Y"])))
def test_bio2_has_the_same_entities(tags: list[str]) -> None:
    found = as_bio2(tags)
    assert spans(map(parse_tag, found)) == spans(map(parse_tag, tags))
    begins = [index for index, tag in enumerate(found) if tag.startswith("B-")]
    assert begins == [span.start for span in spans(map(parse_tag, tags))]
