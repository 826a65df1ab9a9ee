"""The same figures as scikit-learn, seqeval, SciPy and the official SQuAD rules give."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilcli.scores.answers import answer_scores
from distilcli.scores.classification import (
    classification_scores,
    levels,
    macro_roc_auc,
    multi_label_scores,
    roc_auc,
)
from distilcli.scores.entities import entity_scores
from distilcli.scores.regression import regression_scores

pytestmark = pytest.mark.parity

LABEL = st.integers(0, 4)
SCORE = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9])
TAG = st.sampled_from(["O", *(f"{place}-{kind}" for place in "BIES" for kind in ("X", "Y"))])


@pytest.mark.slow
@settings(deadline=None)  # the peer may be imported meanwhile
@given(st.lists(st.tuples(LABEL, LABEL), min_size=1, max_size=40))
def test_labels_score_as_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    expected, predicted = zip(*pairs, strict=True)
    found = classification_scores(expected, predicted, n_labels=5)
    assert found.accuracy == pytest.approx(metrics.accuracy_score(expected, predicted))
    for average, figures in (
        ("macro", (found.precision, found.recall, found.macro_f1)),
        ("micro", (found.accuracy, found.accuracy, found.micro_f1)),
    ):
        theirs = metrics.precision_recall_fscore_support(
            expected, predicted, average=average, zero_division=0
        )
        assert figures == pytest.approx(theirs[:3])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a single label
        correlation = metrics.matthews_corrcoef(expected, predicted)
        confusion = metrics.confusion_matrix(expected, predicted, labels=range(5))
    assert found.matthews == pytest.approx(correlation)
    assert found.confusion == tuple(map(tuple, confusion.tolist()))
    theirs = metrics.precision_recall_fscore_support(
        expected, predicted, labels=range(5), zero_division=0
    )
    ours = [(one.precision, one.recall, one.f1, one.support) for one in found.labels]
    assert pytest.approx(np.array(theirs)) == np.array(ours).T


@settings(deadline=None)  # the peer may be imported meanwhile
@given(st.lists(st.tuples(st.booleans(), SCORE), min_size=2, max_size=40))
def test_roc_auc_is_scikit_learns(rows: list[tuple[bool, float]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    positive, scores = (np.array(column) for column in zip(*rows, strict=True))
    if positive.all() or not positive.any():
        return
    assert roc_auc(positive, scores) == pytest.approx(metrics.roc_auc_score(positive, scores))


def test_roc_auc_of_several_labels_is_scikit_learns() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(0)
    expected = random.integers(4, size=200)
    scores = random.dirichlet(np.ones(4), size=200).round(2)
    scores /= scores.sum(axis=1, keepdims=True)
    ours = macro_roc_auc(
        expected[:, None] == np.arange(4), np.stack([levels(column) for column in scores.T], axis=1)
    )
    theirs = metrics.roc_auc_score(expected, scores, multi_class="ovr", average="macro")
    assert ours == pytest.approx(theirs)


ROW = st.tuples(*[st.booleans()] * 6)


@pytest.mark.slow
@settings(deadline=None)  # the peer may be imported meanwhile
@given(st.lists(ROW, min_size=1, max_size=20))
def test_several_labels_score_as_with_scikit_learn(rows: list[tuple[bool, ...]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    expected, predicted = np.array(rows)[:, :3], np.array(rows)[:, 3:]
    found = multi_label_scores(expected, predicted)
    assert found.accuracy == pytest.approx(metrics.accuracy_score(expected, predicted))
    micro = metrics.precision_recall_fscore_support(
        expected, predicted, average="micro", zero_division=0
    )
    assert (found.micro.precision, found.micro.recall, found.micro.f1) == pytest.approx(micro[:3])
    occurring = [
        number for number in range(3) if expected[:, number].any() or predicted[:, number].any()
    ]
    if occurring:
        macro = metrics.f1_score(
            expected, predicted, labels=occurring, average="macro", zero_division=0
        )
        assert found.macro.f1 == pytest.approx(macro)


@settings(deadline=None)  # the peer may be imported meanwhile
@given(st.lists(st.lists(st.tuples(TAG, TAG), min_size=1, max_size=8), min_size=1, max_size=6))
def test_entities_score_as_with_seqeval(sentences: list[list[tuple[str, str]]]) -> None:
    sequence_labeling = pytest.importorskip("seqeval.metrics.sequence_labeling")
    expected = [[gold for gold, _ in sentence] for sentence in sentences]
    predicted = [[given for _, given in sentence] for sentence in sentences]
    found = entity_scores(expected, predicted)
    assert found.accuracy == pytest.approx(sequence_labeling.accuracy_score(expected, predicted))
    for average, figures in (("micro", [found.micro]), (None, list(found.types.values()))):
        theirs = sequence_labeling.precision_recall_fscore_support(
            expected, predicted, average=average, zero_division=0
        )
        ours = np.array([(one.precision, one.recall, one.f1) for one in figures])
        assert pytest.approx(np.array(theirs[:3]).reshape(3, -1)) == ours.reshape(-1, 3).T


@settings(deadline=None)  # the peer may be imported meanwhile
@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=3, max_size=20))
def test_numbers_score_as_with_scipy(pairs: list[tuple[int, int]]) -> None:
    stats = pytest.importorskip("scipy.stats")
    expected, predicted = (np.array(column, float) for column in zip(*pairs, strict=True))
    if len(set(expected)) == 1 or len(set(predicted)) == 1:
        return
    found = regression_scores(expected, predicted)
    assert found.pearson == pytest.approx(stats.pearsonr(expected, predicted)[0], abs=1e-9)
    assert found.spearman == pytest.approx(stats.spearmanr(expected, predicted)[0], abs=1e-9)


WORDS = st.lists(
    st.sampled_from(["the", "a", "An", "cat", "Cat.", "dog", "-", "d'or", "of"]), max_size=5
).map(" ".join)


@settings(deadline=None)  # the peer may be imported meanwhile
@given(st.lists(WORDS, max_size=3), WORDS)
def test_answers_score_as_squads_script_has_them(golds: list[str], answer: str) -> None:
    squad = pytest.importorskip(
        "transformers.data.metrics.squad_metrics",
        reason="transformers carries the official rules up to version 4",
    )
    found = answer_scores([golds], [answer])
    wanted = [gold for gold in golds if squad.normalize_answer(gold)] or [""]
    assert found.exact_match == max(squad.compute_exact(gold, answer) for gold in wanted)
    assert found.f1 == pytest.approx(max(squad.compute_f1(gold, answer) for gold in wanted))
