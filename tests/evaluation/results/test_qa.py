"""The metrics of SQuAD 2.0 against a plain reading of its official script."""

import collections
import re
import string
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.errors import DataWarning
from distilcli.evaluation.results.qa import QaResults

WORDS = st.sampled_from(["a cat", "The cat!", "dog", "cat dog", ""])
QUESTIONS = st.lists(
    st.tuples(st.lists(WORDS, max_size=2), WORDS, st.integers(0, 10_000)),
    min_size=1,
    max_size=20,
    unique_by=lambda question: question[2],
).filter(lambda questions: any(not golds for golds, _, _ in questions))


def tokens(text: str) -> list[str]:
    text = "".join(each for each in text.lower() if each not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def raw(golds: list[str], answer: str) -> tuple[float, float]:
    """Exact match and F1 of an answer, the best over the golds."""
    golds = [gold for gold in golds if tokens(gold)] or [""]
    exact = max(float(tokens(gold) == tokens(answer)) for gold in golds)
    f1 = []
    for gold in golds:
        same = sum(
            (collections.Counter(tokens(gold)) & collections.Counter(tokens(answer))).values()
        )
        if not tokens(gold) or not tokens(answer):
            f1.append(float(tokens(gold) == tokens(answer)))
        elif not same:
            f1.append(0.0)
        else:
            precision, recall = same / len(tokens(answer)), same / len(tokens(gold))
            f1.append(2 * precision * recall / (precision + recall))
    return exact, max(f1)


def official(
    golds: list[list[str]], answers: list[str], none: list[float], threshold: float = 1.0
) -> dict[str, float]:
    """The figures of the official script, as shares."""
    raws = [raw(*pair) for pair in zip(golds, answers, strict=True)]
    has = [bool(of_one) for of_one in golds]
    found: dict[str, float] = {}
    values = [
        (float(not h),) * 2 if score > threshold else value
        for value, h, score in zip(raws, has, none, strict=True)
    ]
    for index, name in enumerate(("exact", "f1")):
        parts = {
            "": values,
            "HasAns_": [v for v, h in zip(values, has, strict=True) if h],
            "NoAns_": [v for v, h in zip(values, has, strict=True) if not h],
        }
        for part, of_part in parts.items():
            scores = [value[index] for value in of_part]
            found[part + name] = sum(scores) / len(scores) if scores else float("nan")
        current = best = float(has.count(False))
        threshold = 0.0
        for row in sorted(range(len(none)), key=none.__getitem__):
            if has[row]:
                current += raws[row][index]
            else:
                current -= bool(answers[row])
            if current > best + 1e-9:  # equal sums of thirds differ in their last bits
                best, threshold = current, none[row]
        found[f"best_{name}"], found[f"best_{name}_thresh"] = best / len(none), threshold
    return found


@given(QUESTIONS, st.sampled_from([None, 0.0, 0.5]))
def test_the_figures_are_those_of_the_official_script(
    questions: list[Any], threshold: float | None
) -> None:
    golds = [of_one for of_one, _, _ in questions]
    answers = [answer for _, answer, _ in questions]
    none = [score / 10_000 for _, _, score in questions]
    results = QaResults(golds, answers, None, np.array(none), threshold)
    found = results.metrics()
    found["exact"] = found.pop("exact_match")
    expected = official(golds, answers, none, 1.0 if threshold is None else threshold)
    assert found == pytest.approx(expected, nan_ok=True)
    totals = results.details()
    assert totals["HasAns_total"] == sum(map(bool, golds))
    assert totals["NoAns_total"] == len(golds) - sum(map(bool, golds))


def test_answerable_questions_alone_have_two_figures() -> None:
    results = QaResults([["cat"], ["dog"]], ["cat", "cat"], None, np.array([0.1, 0.2]))
    assert set(results.metrics()) == {"exact_match", "f1"}
    assert results.checked("dev.json") is results


def test_impossible_questions_that_all_get_an_answer_are_told() -> None:
    none = np.array([0.1, 0.9])
    with pytest.warns(DataWarning, match=r"1 of 2 questions have no answer .* rows: 0\.1\)"):
        found = QaResults([["cat"], []], ["cat", "cat"], None, none).checked("dev.json").metrics()
    assert found["exact_match"] == found["HasAns_exact"] / 2 == 0.5
    assert (found["NoAns_exact"], found["best_exact"], found["best_f1_thresh"]) == (0, 1, 0.1)
    with pytest.warns(DataWarning, match=r"no threshold can .* answers by ids do not"):
        QaResults([["cat"], []], ["cat", "cat"]).checked("dev.json")
    QaResults([["cat"], []], ["cat", "cat"], None, none, 0.5).checked("dev.json")
    QaResults([["cat"], []], ["cat", ""], None, none).checked("dev.json")
