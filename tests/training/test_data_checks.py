from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.checkpoint.folder import describe_folder
from distilcli.checkpoint.sentence_transformers import SentenceRecipe
from distilcli.errors import InputError
from distilcli.tokenizer.loading import load_tokenizer
from distilcli.training.data_checks import (
    CheckedRows,
    Finding,
    check_answers,
    check_data,
    check_labels,
    check_lengths,
    check_texts,
    finding_lines,
    refuse_errors,
)
from distilcli.training.datasets.choose import SolvedProblem
from distilcli.training.datasets.classify import Examples
from distilcli.training.datasets.embed import TextPair
from distilcli.training.datasets.mlm import PlainTexts
from distilcli.training.datasets.qa import MISSING, Question
from distilcli.training.datasets.tag import TaggedSentences
from distilcli.training.objectives import AnyObjective
from distilcli.training.objectives.choose import ChooseObjective
from distilcli.training.objectives.classify import ClassifyObjective
from distilcli.training.objectives.embed import EmbedObjective
from distilcli.training.objectives.mlm import MlmObjective
from distilcli.training.objectives.multilabel import MultilabelObjective
from distilcli.training.objectives.qa import QaObjective
from distilcli.training.objectives.regress import RegressObjective
from distilcli.training.objectives.tag import TagObjective


def rows(texts: Sequence[str], labels: str | None = None, **more: Any) -> CheckedRows:
    """Rows of one-letter labels."""
    each = None if labels is None else [(label,) for label in labels]
    return CheckedRows(**{"name": "train.csv", "texts": texts, "labels": each, **more})


def labelled(*labels: str, name: str = "train.csv") -> CheckedRows:
    texts = [f"t{index}" for index in range(len(labels))]
    return CheckedRows(name=name, texts=texts, labels=[(label,) for label in labels])


def kinds(found: list[Finding]) -> dict[str, int]:
    return {finding.kind: finding.count for finding in found}


def only(found: list[Finding]) -> Finding:
    (finding,) = found
    return finding


def test_sound_rows_have_no_findings() -> None:
    train, valid = labelled(*["yes", "no"] * 10), rows(["x", "y"], "ab", name="v")
    assert check_texts(train, valid) == []
    assert check_labels(train, labelled("no", name="v")) == []


def test_no_rows_are_an_error() -> None:
    assert only(check_texts(rows([]))) == Finding(
        "no rows", "train.csv: has no rows", 1, is_error=True
    )
    assert only(check_texts(rows(["a"]), rows([], name="v.csv"))).message == "v.csv: has no rows"
    assert check_labels(rows([], "")) == []


def test_empty_texts_are_counted_and_nothing_else_is_said_of_them() -> None:
    texts = ["a", "", " ", "\t\n", "", "b"]
    finding = only(check_texts(rows(texts, "xyxyxy")))
    assert finding == Finding(
        "empty text",
        "train.csv: 4 rows have an empty text",
        4,
        ("train.csv: row 2", "train.csv: row 3", "train.csv: row 4"),
    )


def test_nothing_but_empty_texts_is_an_error() -> None:
    finding = only(check_texts(rows(["", " "])))
    assert finding.is_error
    assert "check `text_column`" in finding.message


def test_an_empty_second_text_is_one_too() -> None:
    finding = only(check_texts(rows(["a", "b"], pairs=["c", " "])))
    assert (finding.kind, finding.count, finding.examples) == (
        "empty text",
        1,
        ("train.csv: row 2",),
    )
    finding = only(check_texts(rows(["a"], pairs=[""])))
    assert finding.is_error
    assert "check `text_column` and `pair_column`" in finding.message


def test_rows_are_named_by_file_and_line_where_these_are_known() -> None:
    places = [("a.csv", 2), ("b.csv", 7)]
    assert only(check_texts(rows(["x", ""], places=places))).examples == ("b.csv: line 7",)


def test_duplicates_and_contradictions() -> None:
    texts = ["Good film", "bad", "good  FILM ", "good\nfilm", "Bad"]
    duplicate, contradiction = check_texts(rows(texts, "pnpnn"))
    assert duplicate == Finding(
        "duplicate",
        "2 training rows are duplicates",
        2,
        (
            "train.csv: row 3: 'good FILM', as train.csv: row 1",
            "train.csv: row 5: 'Bad', as train.csv: row 2",
        ),
    )
    assert contradiction == Finding(
        "contradiction",
        "1 text has different labels in the training rows",
        1,
        ("'good film': 'p' (train.csv: row 1), 'n' (train.csv: row 4)",),
    )


def test_the_order_of_a_rows_labels_is_no_contradiction() -> None:
    found = check_texts(CheckedRows(name="t", texts=["x", "x"], labels=[("a", "b"), ("b", "a")]))
    assert kinds(found) == {"duplicate": 1}


def test_pairs_are_the_same_if_both_texts_are() -> None:
    train = rows(["a", "a", "a b"], pairs=["b c", "c", "c"])
    assert check_texts(train) == []
    valid = rows(["A", "c"], pairs=[" C", "a"], name="v.csv")
    assert only(check_texts(train, valid)).examples == ("v.csv: row 1: 'A', as train.csv: row 2",)


def test_leaks_are_told_with_their_share() -> None:
    valid = rows(["X ", "y", "z", "w"], name="v.csv")
    finding = only(check_texts(rows(["a", "x"]), valid))
    assert (finding.kind, finding.count, finding.is_error) == ("leak", 1, False)
    assert finding.message.startswith("1 validation row (25.0%) is also in the training rows")


SMALL_TEXTS = st.lists(st.text("aAß ", max_size=4), max_size=12)


@pytest.mark.slow
@given(SMALL_TEXTS, SMALL_TEXTS)
def test_counts_are_those_of_comparing_all_with_all(train: list[str], valid: list[str]) -> None:
    def same(a: str, b: str) -> bool:
        return a.casefold().split() == b.casefold().split() != []

    found = kinds(check_texts(rows(train), rows(valid, name="v")))
    leaks = sum(any(same(text, other) for other in train) for text in valid)
    repeated = sum(
        any(same(text, other) for other in train[:place]) for place, text in enumerate(train)
    )
    assert found.get("leak", 0) == leaks
    assert found.get("duplicate", 0) == repeated


def test_one_label_is_an_error_where_there_must_be_a_choice() -> None:
    train = labelled(*["yes"] * 12)
    finding = only(check_labels(train))
    assert finding.is_error
    assert "every row has the label 'yes'" in finding.message
    assert check_labels(replace(train, exclusive=False)) == []


def test_a_label_with_a_typing_error_is_named_with_what_was_meant() -> None:
    labels = ["positive"] * 20 + ["negative"] * 20 + ["postive"] * 2
    typo, small = check_labels(labelled(*labels))
    assert typo == Finding(
        "label typo",
        "1 label looks like a typo",
        1,
        ("train.csv: row 41: 'postive' (2 rows), did you mean 'positive' (20 rows)?",),
    )
    assert (small.kind, small.examples, small.is_error) == (
        "small label",
        ("'postive': 2 rows",),
        False,
    )


@pytest.mark.parametrize("label", ["None", "NULL", "<NA>", "#N/A"])
def test_a_label_that_reads_like_a_missing_value_is_told(label: str) -> None:
    finding = only(check_labels(labelled(*["yes"] * 12, *["no"] * 12, *[label] * 12)))
    assert finding.message.startswith(
        "1 label reads like a missing value and is learned as a class"
    )
    assert finding.examples == (f"train.csv: row 25: {label!r} (12 rows)",)
    assert not finding.is_error


def test_few_rows_of_a_label_are_counted_from_the_smallest() -> None:
    found = check_labels(labelled(*"aaaabbbcc"), min_rows=4)
    assert only(found).message == "2 labels have fewer than 4 rows"
    assert only(found).examples == ("'c': 2 rows", "'b': 3 rows")


def test_a_label_that_is_new_in_validation_is_an_error() -> None:
    train = labelled(*["positive", "negative"] * 10)
    valid = labelled("positive", "postive", "7", "postive", name="v.csv")
    assert only(check_labels(train, valid)) == Finding(
        "unknown label",
        "v.csv: 2 labels are not in the training rows",
        2,
        ("v.csv: row 2: 'postive' (2 rows), did you mean 'positive'?", "v.csv: row 3: '7' (1 row)"),
        is_error=True,
    )


Answers = list[list[tuple[str, int | None]]]


def found_in(contexts: Sequence[str], answers: Answers) -> list[Finding]:
    texts = ["?"] * len(contexts)
    return check_answers(CheckedRows(name="qa.json", texts=texts, pairs=contexts, answers=answers))


def test_answers_in_their_place_are_sound() -> None:
    asked = ["the cat sat", "the cat", "x"]
    assert found_in(asked, [[("cat", 4), ("the", 0)], [("the", None)], []]) == []


def test_answers_elsewhere_and_nowhere() -> None:
    asked = ["cat and cat and dog", "a b"]
    missing, moved = found_in(asked, [[("cat", 9), ("dog", -1), ("cow", 4)], [("a", 0)]])
    assert missing == Finding(
        "missing answer", "qa.json: 1 answer is not in the context", 1, ("qa.json: row 1: 'cow'",)
    )
    assert moved == Finding(
        "moved answer",
        "qa.json: 2 answers are elsewhere in the context",
        2,
        ("qa.json: row 1: 'cat' is at 8, not 9", "qa.json: row 1: 'dog' is at 16, not -1"),
    )


def test_it_is_an_error_if_every_answer_is_missing() -> None:
    finding = only(found_in(["a", "b"], [[("x", 0)], [("y", None)]]))
    assert finding.is_error
    assert "check the columns" in finding.message
    assert found_in(["a"], [[]]) == []


@given(st.text("ab", max_size=12), st.text("ab", min_size=1, max_size=3), st.integers(-2, 14))
def test_the_nearest_place_is_told(context: str, answer: str, start: int) -> None:
    places = [at for at in range(len(context)) if context.startswith(answer, at)]
    found = found_in([context], [[(answer, start)]])
    if start in places:
        assert found == []
    elif places:
        told = only(found).examples[0].partition("is at ")[2].split(",")[0]
        assert abs(int(told) - start) == min(abs(place - start) for place in places)
    else:
        assert kinds(found) == {"missing answer": 1}


def test_rows_over_the_limit_are_counted_with_the_tokens_that_are_lost() -> None:
    finding = only(check_lengths(rows(list("abcd")), [8, 20, 12, 10], 10))
    assert finding == Finding(
        "too long",
        "train.csv: 2 rows are cut at 10 tokens: 12 of 50 tokens are lost (24.0%)",
        2,
        ("train.csv: row 2: 20 tokens", "train.csv: row 3: 12 tokens"),
    )
    assert check_lengths(rows(["a"]), [10], 10) == []


@pytest.mark.parametrize("text", ["x" * 200, "a\x1b[31mb", "a\udc80b"])
def test_an_example_is_short_and_in_one_line(text: str) -> None:
    example = only(check_texts(rows([text, text]))).examples[0]
    assert len(example) < 120
    assert example.isprintable()


Find = Callable[..., dict[str, Any]]


@pytest.fixture
def find(tiny_folder: Path) -> Find:
    """Return the counts of what is found, by its kind."""
    tokenizer = load_tokenizer(describe_folder("m", tiny_folder))

    def find(objective: AnyObjective, *, max_length: int = 64) -> dict[str, Any]:
        found = check_data(objective, tokenizer, max_length=max_length)
        return {finding.kind: finding.count for finding in found}

    return find


def examples(texts: list[str], labels: list[Any], names: tuple[str, ...] = ("a", "b")) -> Any:
    return Examples(texts, None, labels, names)


FINE = examples([f"good {n}" for n in range(20)], [0, 1] * 10)


def test_rows_without_a_fault(find: Find) -> None:
    assert find(ClassifyObjective(FINE, examples(["bad 0", "bad 1"], [0, 1]))) == {}


def test_labels_and_texts(find: Find) -> None:
    rows = examples([*FINE.texts, " ", "GOOD  1", "good 2"], [*FINE.labels, 0, 1, 1])
    found = find(ClassifyObjective(rows, examples(["good 3", "bad"], [1, 0])))
    assert found == {"empty text": 1, "duplicate": 1, "contradiction": 1, "leak": 1}


def test_a_row_without_a_label_is_no_fault(find: Find) -> None:
    rows = examples([*FINE.texts, "new"], [*FINE.labels, -100])
    assert find(ClassifyObjective(rows, examples(["bad", "dull"], [0, 1]))) == {}


def test_labels_that_a_teacher_knows_need_no_row(find: Find) -> None:
    rows = examples(FINE.texts, [0] * 15 + [-100] * 5)
    valid = examples(["bad", "dull"], [0, 1])
    assert find(ClassifyObjective(rows, valid)) == {}
    several = examples(FINE.texts, [(0,)] * 15 + [(-100,)] * 5)
    assert find(MultilabelObjective(several, examples(["bad", "dull"], [(0,), (1,)]))) == {}
    sentences = TaggedSentences([[text] for text in FINE.texts], [[1]] * 20, ("O", "B-X", "B-Y"))
    assert (
        find(TagObjective(sentences, TaggedSentences([["x"]], [[2]], sentences.label_names))) == {}
    )


def test_several_labels_and_numbers(find: Find) -> None:
    several = examples(["good", "bad", "dull"], [(0,), (), (0, 1)])
    assert "small label" in find(MultilabelObjective(several, several))
    numbers = examples(["good", "bad"], [0.5, 1.0], ())
    assert find(RegressObjective(numbers, examples(["dull"], [0.1], ()))) == {}


def test_sentences(find: Find) -> None:
    names = ("O", "B-X", "I-X")
    words = [["good", "film"], ["bad", "film"]]
    rows = TaggedSentences(words, [[1, 2], [0, 0]], names)
    assert find(TagObjective(rows, TaggedSentences(words[:1], [[1, 2]], names))) == {
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
    assert find(QaObjective(rows, valid)) == {"missing answer": 1, "moved answer": 1}
    with pytest.raises(InputError, match="no answer is in its context; check the columns"):
        find(QaObjective(rows[2:], valid))


def test_what_is_left_out_is_counted(find: Find) -> None:
    rows = [Question("who", " ", (), None), Question("what", "a film", ("film",), 2)]
    asked = QaObjective(rows, [Question("why", "a film", ("film",), 2)])
    assert find(asked) == {"empty text": 1}
    assert asked.describe() == "1 question, validated on 1"


def test_pairs_texts_and_problems(find: Find) -> None:
    pairs = [TextPair("good", "bad", 1.0), TextPair("good", "bad", 1.0), TextPair("dull", None)]
    recipe = SentenceRecipe()
    assert find(EmbedObjective(pairs, [TextPair("a", "the", 0.0)], recipe)) == {"duplicate": 1}
    assert find(MlmObjective(PlainTexts(["good film", "bad film"]), PlainTexts(["Good film"]))) == {
        "leak": 1
    }
    problem = SolvedProblem("good", ("a", "the"), 1)
    assert find(ChooseObjective([problem], [SolvedProblem("good", ("a", "i"), 0)])) == {}


def test_texts_over_the_limit_are_counted_where_they_are_cut(find: Find) -> None:
    long = examples(["good " * 30, "bad"], [0, 1])
    assert find(ClassifyObjective(long, FINE), max_length=10)["too long"] == 1
    pairs = Examples(["good"], ["bad " * 8], [0.0], ())
    assert find(RegressObjective(pairs, examples(["a"], [1.0], ())), max_length=10) == {
        "too long": 1
    }
    texts = [TextPair("good " * 7, "bad " * 7, 1.0)]
    assert (
        find(EmbedObjective(texts, [TextPair("a", "i", 0.0)], SentenceRecipe()), max_length=10)
        == {}
    )
    problems = [
        SolvedProblem("good " * 3, ("a", "bad " * 5), 0),
        SolvedProblem("bad", ("a", "i"), 0),
    ]
    assert find(ChooseObjective(problems, problems[1:]), max_length=11) == {"leak": 1}
    assert find(ChooseObjective(problems, problems[1:]), max_length=10)["too long"] == 1
    words = [["good"] * 30, ["bad"]]
    tagged = TaggedSentences(words, [[0] * 30, [1]], ("O", "B-X"))
    assert "too long" not in find(TagObjective(tagged, tagged), max_length=10)


WARNING = Finding("a", "5 rows are odd", 5, ("row 1", "row 2", "row 3"))
ERROR = Finding("b", "2 labels are new", 2, ("row 4: 'x'", "row 5: 'y'"), is_error=True)


def test_findings_are_told_with_their_examples_and_errors_first() -> None:
    assert finding_lines([WARNING, ERROR]) == [
        "error: 2 labels are new",
        "  row 4: 'x'",
        "  row 5: 'y'",
        "warning: 5 rows are odd",
        "  row 1",
        "  row 2",
        "  row 3",
        "  and 2 more",
    ]
    assert finding_lines([]) == []


def test_an_error_is_raised_in_one_line() -> None:
    with pytest.raises(InputError, match=r"^2 labels are new: row 4: 'x'$"):
        refuse_errors([WARNING, ERROR])
    with pytest.raises(InputError, match=r"^nothing$"):
        refuse_errors([Finding("c", "nothing", 1, is_error=True), ERROR])
    refuse_errors([WARNING])
