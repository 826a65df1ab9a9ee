"""How good answers are, as SQuAD counts it: exact match and F1 over words.

Both compare normalized texts: lower case, without punctuation and articles. A question's score is
the best over its gold answers; one without gold answers wants an empty answer. These are the
rules of the official script of SQuAD 2.0 (Rajpurkar et al. 2018), which are those of 1.1 wherever
a gold answer is more than articles and signs.
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
    """Shares between 0 and 1: means over the questions, and the figures of each."""

    exact_match: float
    f1: float
    exact_matches: tuple[float, ...]
    f1s: tuple[float, ...]


def answer_scores(golds: Sequence[Sequence[str]], predicted: Sequence[str]) -> AnswerScores:
    """Score the answer to each question against its gold answers; no gold: unanswerable.

    No answer is an empty text. `ValueError` for lists of different lengths.
    """
    exact, f1 = [], []
    for texts, answer in zip(golds, predicted, strict=True):
        wanted = [gold for text in texts if (gold := normalized(text))] or [""]
        given = normalized(answer)
        exact.append(float(given in wanted))
        f1.append(max(_overlap(gold.split(), given.split()) for gold in wanted))
    count = len(exact) or 1
    return AnswerScores(sum(exact) / count, sum(f1) / count, tuple(exact), tuple(f1))


def normalized(text: str) -> str:
    """Return a text in lower case, without punctuation and articles, words with a blank between."""
    bare = text.lower().translate(_WITHOUT_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def _overlap(gold: Sequence[str], given: Sequence[str]) -> float:
    """Return F1 over words, each counted as often as it comes; without words all or nothing."""
    if not gold or not given:
        return float(gold == given)
    common = (Counter(gold) & Counter(given)).total()
    return 2 * common / (len(gold) + len(given))


def best_no_answer_threshold(
    no_answer_scores: Sequence[float] | Array, scores: Sequence[float] | Array, has_answer: Array
) -> tuple[float, float]:
    """Return the threshold above which "no answer" is best given, and the mean score with it.

    `no_answer_scores` (N,) say how likely there is no answer; `scores` are what the answers are
    worth where they are given, `has_answer` which questions have one. A question without an
    answer is worth 1 where none is given. Of equally good thresholds the lowest.
    """
    certainty = np.asarray(no_answer_scores, float)
    order = np.argsort(certainty, kind="stable")
    gains = np.where(has_answer, np.asarray(scores, float), np.asarray(scores, float) - 1)[order]
    totals = np.concatenate([[0.0], gains.cumsum()]) + np.count_nonzero(~has_answer)
    # Questions of one score are answered together: only the last of them ends a choice.
    ordered = certainty[order]
    ends = np.append(ordered[1:] != ordered[:-1], True) if len(ordered) else np.zeros(0, bool)
    allowed = np.concatenate([[True], ends])
    best = int(np.where(allowed, totals, -np.inf).argmax())
    threshold = float(ordered[best - 1]) if best else 0.0
    return threshold, float(totals[best]) / max(1, len(ordered))
