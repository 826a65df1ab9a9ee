from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distilcli.checkpoint.folder import describe_folder
from distilcli.checkpoint.sentence_transformers import SentenceRecipe
from distilcli.errors import InputError
from distilcli.tokenizer.loading import load_tokenizer
from distilcli.training.datasets.choose import SolvedProblem
from distilcli.training.datasets.classify import Examples
from distilcli.training.datasets.embed import TextPair
from distilcli.training.datasets.mlm import PlainTexts
from distilcli.training.datasets.qa import MISSING, Question
from distilcli.training.datasets.tag import TaggedSentences
from distilcli.training.faults import find_faults
from distilcli.training.objectives.base import Lesson
from distilcli.training.objectives.choose import ChooseLesson
from distilcli.training.objectives.classify import ClassifyLesson
from distilcli.training.objectives.embed import EmbedLesson
from distilcli.training.objectives.mlm import MlmLesson
from distilcli.training.objectives.multilabel import MultilabelLesson
from distilcli.training.objectives.qa import QaLesson
from distilcli.training.objectives.regress import RegressLesson
from distilcli.training.objectives.tag import TagLesson

Find = Callable[..., dict[str, Any]]


@pytest.fixture
def find(tiny_folder: Path) -> Find:
    """Return the counts of what is found, by its kind."""
    tokenizer = load_tokenizer(describe_folder("m", tiny_folder))

    def find(lesson: Lesson, *, max_length: int = 64) -> dict[str, Any]:
        found = find_faults(lesson, tokenizer, max_length=max_length)
        return {finding.kind: finding.count for finding in found}

    return find


def labelled(texts: list[str], labels: list[Any], names: tuple[str, ...] = ("a", "b")) -> Any:
    return Examples(texts, None, labels, names)


FINE = labelled([f"good {n}" for n in range(20)], [0, 1] * 10)


def test_rows_without_a_fault(find: Find) -> None:
    assert find(ClassifyLesson(FINE, labelled(["bad 0", "bad 1"], [0, 1]))) == {}


def test_labels_and_texts(find: Find) -> None:
    rows = labelled([*FINE.texts, " ", "GOOD  1", "good 2"], [*FINE.labels, 0, 1, 1])
    found = find(ClassifyLesson(rows, labelled(["good 3", "bad"], [1, 0])))
    assert found == {"empty text": 1, "duplicate": 1, "contradiction": 1, "leak": 1}


def test_a_row_without_a_label_is_no_fault(find: Find) -> None:
    rows = labelled([*FINE.texts, "new"], [*FINE.labels, -100])
    assert find(ClassifyLesson(rows, labelled(["bad", "dull"], [0, 1]))) == {}


def test_labels_that_a_teacher_knows_need_no_row(find: Find) -> None:
    rows = labelled(FINE.texts, [0] * 15 + [-100] * 5)
    valid = labelled(["bad", "dull"], [0, 1])
    assert find(ClassifyLesson(rows, valid)) == {}
    several = labelled(FINE.texts, [(0,)] * 15 + [(-100,)] * 5)
    assert find(MultilabelLesson(several, labelled(["bad", "dull"], [(0,), (1,)]))) == {}
    sentences = TaggedSentences([[text] for text in FINE.texts], [[1]] * 20, ("O", "B-X", "B-Y"))
    assert find(TagLesson(sentences, TaggedSentences([["x"]], [[2]], sentences.label_names))) == {}


def test_several_labels_and_numbers(find: Find) -> None:
    several = labelled(["good", "bad", "dull"], [(0,), (), (0, 1)])
    assert "small label" in find(MultilabelLesson(several, several))
    numbers = labelled(["good", "bad"], [0.5, 1.0], ())
    assert find(RegressLesson(numbers, labelled(["dull"], [0.1], ()))) == {}


def test_sentences(find: Find) -> None:
    names = ("O", "B-X", "I-X")
    words = [["good", "film"], ["bad", "film"]]
    rows = TaggedSentences(words, [[1, 2], [0, 0]], names)
    assert find(TagLesson(rows, TaggedSentences(words[:1], [[1, 2]], names))) == {
        "small label": 1, "leak": 1,
    }  # fmt: skip


def test_answers(find: Find) -> None:
    rows = [
        Question("what", "a good film", ("film",), 7, said=7),
        Question("which", "a good film", ("good",), 2, said=0),
        Question("how", "a good film", ("dull",), MISSING),
        Question("who", "a good film", (), None),
    ]
    valid = [Question("why", "a film", ("film",), 2)]
    assert find(QaLesson(rows, valid)) == {"missing answer": 1, "moved answer": 1}
    with pytest.raises(InputError, match="and no other is; check the columns"):
        find(QaLesson(rows[2:], valid))


def test_what_is_left_out_is_counted(find: Find) -> None:
    texts = MlmLesson(PlainTexts(["good", " ", ""], [("t.txt", line) for line in (1, 2, 3)]),
                      PlainTexts(["bad"]))  # fmt: skip
    assert find(texts) == {"empty text": 2}
    assert texts.described() == "from 1 texts, is validated on 1"
    rows = [Question("who", " ", (), None), Question("what", "a film", ("film",), 2)]
    asked = QaLesson(rows, [Question("why", "a film", ("film",), 2)])
    assert find(asked) == {"empty text": 1}
    assert asked.described() == "from 1 questions, is validated on 1"
    sentences = TaggedSentences([["good"], []], [[0], []], ("O", "B-X"))
    tagged = TagLesson(sentences, TaggedSentences([["bad"]], [[1]], ("O", "B-X")))
    assert find(tagged)["empty text"] == 1
    assert tagged.described().startswith("from 1 sentences, is validated on 1; ")


def test_pairs_texts_and_problems(find: Find) -> None:
    pairs = [TextPair("good", "bad", 1.0), TextPair("good", "bad", 1.0), TextPair("dull", None)]
    recipe = SentenceRecipe()
    assert find(EmbedLesson(pairs, [TextPair("a", "the", 0.0)], recipe)) == {"duplicate": 1}
    assert find(MlmLesson(PlainTexts(["good film", "bad film"]), PlainTexts(["Good film"]))) == {
        "leak": 1
    }
    problem = SolvedProblem("good", ("a", "the"), 1)
    assert find(ChooseLesson([problem], [SolvedProblem("good", ("a", "i"), 0)])) == {}


def test_texts_over_the_limit_are_counted_where_they_are_cut(find: Find) -> None:
    long = labelled(["good " * 30, "bad"], [0, 1])
    assert find(ClassifyLesson(long, FINE), max_length=10)["too long"] == 1
    pairs = Examples(["good"], ["bad " * 8], [0.0], ())
    assert find(RegressLesson(pairs, labelled(["a"], [1.0], ())), max_length=10) == {"too long": 1}
    texts = [TextPair("good " * 7, "bad " * 7, 1.0)]
    assert (
        find(EmbedLesson(texts, [TextPair("a", "i", 0.0)], SentenceRecipe()), max_length=10) == {}
    )
    problems = [
        SolvedProblem("good " * 3, ("a", "bad " * 5), 0),
        SolvedProblem("bad", ("a", "i"), 0),
    ]
    assert find(ChooseLesson(problems, problems[1:]), max_length=11) == {"leak": 1}
    assert find(ChooseLesson(problems, problems[1:]), max_length=10)["too long"] == 1
    words = [["good"] * 30, ["bad"]]
    tagged = TaggedSentences(words, [[0] * 30, [1]], ("O", "B-X"))
    assert "too long" not in find(TagLesson(tagged, tagged), max_length=10)
