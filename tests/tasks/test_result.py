import pytest

from distilcli.tasks.choose import Choice
from distilcli.tasks.classify import Classification
from distilcli.tasks.fill import Fill, Filling
from distilcli.tasks.perplexity import PseudoPerplexity
from distilcli.tasks.qa import Answer, Answers
from distilcli.tasks.tag import Entity, Tagging

MANY = tuple(float(n) for n in range(1000))
ENTITY = Entity("film", "ART", 2, 6, 0.123456)


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        (
            Classification((0.25, 0.75), ("no", "yes")),
            "Classification(label='yes', score=0.75)",
        ),
        (
            Classification((0.1234567,), kind="regression", truncated=True),
            "Classification(score=0.1235, truncated=True)",
        ),
        (
            Classification(MANY, tuple(map(str, MANY))),
            "Classification(label='999.0', score=999)",
        ),
        (Answer("", 0.5), "Answer(text='', score=0.5)"),
        (
            Answers((Answer("Paris", 0.5, 0, 5),), 0.25),
            "Answers(answer='Paris', score=0.5, no_answer_score=0.25)",
        ),
        (Filling("a film", ((Fill("film", 0.5),),)), "Filling(filled='a film', score=0.5)"),
        (Fill("film", 0.5), "Fill(token='film', score=0.5)"),
        (Choice("a", 0, (0.75, *MANY)), "Choice(choice='a', choice_index=0, score=0.75)"),
        (PseudoPerplexity(2.0, 3), "PseudoPerplexity(pseudo_perplexity=2, n_tokens=3)"),
        (ENTITY, "Entity(text='film', label='ART', start=2, end=6, score=0.1235)"),
        (Tagging("a film", [ENTITY], (), ()), f"[{ENTITY!r}]"),
    ],
)
def test_results_show_themselves_briefly(result: object, shown: str) -> None:
    assert repr(result) == str(result) == shown


def test_long_texts_are_cut() -> None:
    assert len(repr(Answers((Answer("word " * 500, 0.5, 0, 5),), 0.25))) < 150


def test_truncation_is_part_of_a_result() -> None:
    assert not Choice("a", 0, (0.5,)).truncated
    assert Choice("a", 0, (0.5,), truncated=True) != Choice("a", 0, (0.5,))
    assert Tagging("a", [], (), ()) == []
