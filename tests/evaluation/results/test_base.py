"""Each kind of evaluation: its figures, some rows of it, its worst rows, what it finds best."""

import math

import numpy as np
import pytest

from distilcli.errors import UsageError
from distilcli.evaluation.evaluation import Outcome
from distilcli.evaluation.report import report_of
from distilcli.evaluation.results.base import Results
from distilcli.evaluation.results.choose import ChooseResults
from distilcli.evaluation.results.classify import ClassifyResults
from distilcli.evaluation.results.embed import EmbedResults
from distilcli.evaluation.results.mlm import MlmResults
from distilcli.evaluation.results.multilabel import MultilabelResults
from distilcli.evaluation.results.qa import QaResults
from distilcli.evaluation.results.regress import RegressResults
from distilcli.evaluation.results.tag import TagResults
from distilcli.gold.choices import Solution
from distilcli.tasks.choose import Choice
from distilcli.tasks.classify import Classification
from distilcli.tasks.perplexity import PseudoPerplexity
from distilcli.tasks.qa import Answer, Answers
from distilcli.tasks.spec import TASKS
from distilcli.tasks.tag import Tagging


def of(*scores: float, labels: tuple[str, ...] = ("no", "yes")) -> Classification:
    return Classification(scores, labels)


def answer(text: str, score: float, none: float) -> Answers:
    return Answers((Answer(text, score, 0, len(text)),), none)


LABELLED = ClassifyResults.of(
    ("no", "yes"),
    ["yes", "yes", "no", "no"],
    [of(0.2, 0.8), of(0.6, 0.4), of(0.1, 0.9), of(0.7, 0.3)],
)
SEVERAL = MultilabelResults.of(
    ("a", "b"), [["a"], ["a", "b"], []], [of(0.9, 0.8), of(0.7, 0.4), of(0.1, 0.2)]
)
ANSWERED = QaResults.of(
    [["a cat"], [], ["dog"]],
    [answer("cat", 0.9, 0.1), answer("bird", 0.3, 0.7), answer("big dog", 0.5, 0.2)],
)
TAGGED = TagResults.of(
    [["B-X", "I-X"], ["B-Y", "O"]],
    [
        Tagging("u v", (), ((0, 1), (2, 3)), ("B-X", "I-X")),
        Tagging("u v", (), ((0, 1), (2, 3)), ("B-X", None)),
    ],
)
CHOSEN = ChooseResults.of(
    [Solution(str(number), "p", (None, None, number)) for number in (1, 0, 0)],
    [Choice("b", 1, (0.2, 0.8)), Choice("b", 1, (0.4, 0.6)), Choice("one", 0, (1.0,))],
)
FORESEEN = MlmResults.of([PseudoPerplexity(2.0, 3), PseudoPerplexity(16.0, 1)])
NUMBERS = RegressResults.of([1.0, 2.0, 3.0], [1.0, 4.0, 2.5])
EVERY: dict[str, Results] = {
    "classify": LABELLED,
    "multilabel": SEVERAL,
    "regress": NUMBERS,
    "embed": EmbedResults.of([1.0, 2.0, 3.0], [0.1, 0.3, 0.2]),
    "qa": ANSWERED,
    "tag": TAGGED,
    "choose": CHOSEN,
    "mlm": FORESEEN,
}


@pytest.mark.parametrize("task", EVERY)
def test_figures_are_those_that_gates_know(task: str) -> None:
    assert tuple(EVERY[task].metrics()) == TASKS[task].metrics


@pytest.mark.parametrize("task", EVERY)
def test_all_rows_drawn_are_all_rows(task: str) -> None:
    measured = EVERY[task]
    drawn = measured.metrics(np.arange(len(measured)))
    assert drawn == pytest.approx(measured.metrics(), nan_ok=True)


@pytest.mark.parametrize("task", EVERY)
def test_a_fault_fills_its_columns(task: str) -> None:
    measured = EVERY[task]
    order = measured.worst().tolist()
    assert order
    assert all(len(measured.error_row(row)) == len(measured.error_columns) for row in order)


@pytest.mark.slow
@pytest.mark.parametrize("task", EVERY)
def test_an_interval_for_each_figure(task: str) -> None:
    found = EVERY[task].intervals(confidence=0.9)
    assert tuple(found) == TASKS[task].metrics
    assert all(math.isnan(low) or low <= high for low, high in found.values())


def test_labels() -> None:
    metrics = LABELLED.metrics()
    assert metrics["accuracy"] == 0.5
    assert metrics["auc"] == 0.5  # of 4 pairs (0.8, 0.4 against 0.9, 0.3) 2 are in order
    assert LABELLED.worst().tolist() == [2, 1]  # the surest first
    assert LABELLED.error_row(2) == ("yes", "no", 0.9)
    assert LABELLED.search() == {"best_threshold": 0.4, "best_f1": pytest.approx(0.8)}
    names = [table.name for table in LABELLED.tables()]
    assert names == ["labels", "confusion"]


def test_labels_without_probabilities() -> None:
    bare = ClassifyResults(("no", "yes"), np.array([0, 1]), np.array([1, 1]))
    assert set(TASKS["classify"].metrics) - set(bare.metrics()) == {"auc", "ece"}
    assert bare.worst().tolist() == [0]
    assert bare.error_row(0) == ("yes", "no", None)
    with pytest.raises(UsageError, match="`threshold_search` needs two labels"):
        bare.search()
    with pytest.raises(UsageError, match="`calibrate` needs"):
        bare.temperature()


def test_several_labels() -> None:
    metrics = SEVERAL.metrics()
    # given: a b, a, none; expected: a, a b, none
    assert metrics["accuracy"] == pytest.approx(1 / 3)
    assert metrics["micro_f1"] == pytest.approx(2 / 3)
    assert SEVERAL.worst().tolist() == [0, 1]  # 0.8 too much, then 0.6 too little
    assert SEVERAL.error_row(1) == (["a"], ["a", "b"], pytest.approx(0.6))
    assert SEVERAL.search() == {"best_threshold": 0.4, "best_micro_f1": pytest.approx(6 / 7)}


def test_the_threshold_of_several_labels_counts() -> None:
    strict = MultilabelResults.of(("a", "b"), [["a"]], [of(0.9, 0.8)], threshold=0.85)
    assert strict.metrics()["accuracy"] == 1.0


def test_numbers() -> None:
    assert NUMBERS.worst().tolist() == [1, 2]
    assert NUMBERS.error_row(1) == (4.0, 2.0, 2.0)


def test_answers() -> None:
    assert ANSWERED.metrics() == {
        "exact_match": pytest.approx(1 / 3),
        "f1": pytest.approx((1 + 0 + 2 / 3) / 3),
        "HasAns_exact": 0.5,
        "HasAns_f1": pytest.approx((1 + 2 / 3) / 2),
        "NoAns_exact": 0.0,
        "NoAns_f1": 0.0,
        "best_exact": pytest.approx(2 / 3),
        "best_exact_thresh": 0.1,
        "best_f1": pytest.approx((1 + 1 + 2 / 3) / 3),
        "best_f1_thresh": 0.2,
    }
    assert ANSWERED.worst().tolist() == [1, 2]
    assert ANSWERED.error_row(1) == ("bird", [], 0.3)
    (table,) = ANSWERED.tables()
    assert [record["rows"] for record in table.records] == [2, 1]
    assert ANSWERED.search() == {
        "best_threshold": 0.2,
        "best_f1": pytest.approx((1 + 1 + 2 / 3) / 3),
    }


def test_no_answer_is_given_above_the_threshold() -> None:
    answered = QaResults.of(ANSWERED.golds, [answer("cat", 0.9, 0.5)] * 3, threshold=0.4)
    assert answered.metrics()["f1"] == pytest.approx(1 / 3)
    with pytest.raises(UsageError, match="no_answer_score"):
        QaResults([["a"]], ["a"], threshold=0.4).metrics()


def test_tags() -> None:
    assert TAGGED.metrics()["f1"] == 0.5
    assert TAGGED.worst().tolist() == [1]
    assert TAGGED.error_row(1) == (["B-X", "O"], ["B-Y", "O"], 2)


def test_choices() -> None:
    assert CHOSEN.metrics()["accuracy"] == pytest.approx(2 / 3)
    assert CHOSEN.worst().tolist() == [1]
    assert CHOSEN.error_row(1) == ("b", "0", 0.6)


def test_perplexity_is_over_all_tokens() -> None:
    # log2: 1 for each of three tokens, 4 for one
    assert FORESEEN.metrics() == {"perplexity": pytest.approx(2 ** (7 / 4))}
    assert FORESEEN.worst().tolist() == [1, 0]


def test_slices_are_figures_of_their_rows() -> None:
    report = report_of(Outcome(LABELLED, ["x", "y", "x", "x"], []))
    assert [(one.name, one.rows) for one in report.slices] == [("x", 3), ("y", 1)]
    assert report.slices[1].metrics["accuracy"] == 0.0
    assert report.as_dict()["slices"][1]["auc"] is None  # type: ignore[index]
