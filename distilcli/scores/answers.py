"""Question-answering metrics of SQuAD: exact match and F1 over words.

Both compare normalized texts: lower case, without punctuation and articles. A question's score is
the best over its gold answers; without gold answers, the correct answer is empty. These are the
rules of the official script of SQuAD 2.0 (Rajpurkar et al. 2018); those of 1.1 differ only where a
gold answer is nothing but articles and punctuation.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distilcli.scores.precision_recall import Array

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class AnswerScores:
    """Metrics between 0 and 1: means over the questions, and the values of each question."""

    exact_match: float
    f1: float
    exact_matches: tuple[float, ...]
    f1s: tuple[float, ...]


def answer_scores(golds: Sequence[Sequence[str]], predicted: Sequence[str]) -> AnswerScores:
    """Score predicted answers against gold answers; a question without any is unanswerable.

    An empty text is "no answer". Raises `ValueError` for lists of different lengths.
    """
    exact, f1 = [], []
    for texts, answer in zip(golds, predicted, strict=True):
        accepted = [gold for text in texts if (gold := normalized(text))] or [""]
        given = normalized(answer)
        exact.append(float(given in accepted))
        f1.append(max(_overlap(gold.split(), given.split()) for gold in accepted))
    count = len(exact) or 1
    return AnswerScores(sum(exact) / count, sum(f1) / count, tuple(exact), tuple(f1))


def normalized(text: str) -> str:
    """Return a text in lower case, without punctuation and articles, words separated by spaces."""
    bare = text.lower().translate(_WITHOUT_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def _overlap(gold: Sequence[str], given: Sequence[str]) -> float:
    """Return F1 over words, repeated words counted; 0 or 1 if either text has no words."""
    if not gold or not given:
        return float(gold == given)
    common = (Counter(gold) & Counter(given)).total()
    return 2 * common / (len(gold) + len(given))


def best_no_answer_threshold(
    no_answer_scores: Sequence[float] | Array, scores: Sequence[float] | Array, has_answer: Array
) -> tuple[float, float]:
    """Return the best threshold above which to give no answer, and the mean score with it.

    `no_answer_scores` (N,) are high for "no answer"; `scores` are those of the answers if given;
    `has_answer` is true for answerable questions. An unanswerable question scores 1 if no answer is
    given. Of equally good thresholds, the lowest.
    """
    certainty = np.asarray(no_answer_scores, float)
    order = np.argsort(certainty, kind="stable")
    gains = np.where(has_answer, np.asarray(scores, float), np.asarray(scores, float) - 1)[order]
    totals = np.concatenate([[0.0], gains.cumsum()]) + np.count_nonzero(~has_answer)
    # Questions with equal scores are on one side of a threshold: cut only after the last.
    ordered = certainty[order]
    ends = np.append(ordered[1:] != ordered[:-1], True) if len(ordered) else np.zeros(0, bool)
    allowed = np.concatenate([[True], ends])
    # Sums of thirds that are equal differ in their last bits.
    best = int(np.where(allowed, totals.round(9), -np.inf).argmax())
    threshold = float(ordered[best - 1]) if best else 0.0
    return threshold, float(totals[best]) / max(1, len(ordered))
