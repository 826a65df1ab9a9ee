import math
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distilcli.predictors.answerer import Answerer
from distilcli.tasks.qa import Answer, AnswerColumns, Answers
from distilcli.tasks.settings import BatchOptions, LongTexts
from distilcli.tasks.spans import band, merged, ranked

WORDS = st.sampled_from(
    ["good", "Film", "ÉTÉ", "각", "İ", ",", "fun!", "\U0001f600", "a\u0301", "\n"]
)
CONTEXTS = st.one_of(st.text(min_size=1), st.lists(WORDS, min_size=1, max_size=150).map(" ".join))
EVERY = 1_000_000


@pytest.fixture(scope="module")
def answerers(qa_folder: Path) -> list[Answerer]:
    """The same model in small and in large batches, on one thread and on three."""
    return [
        Answerer(
            str(qa_folder),
            device="cpu",
            top_k=EVERY,
            max_answer_length=5,
            batches=batches,
            long_texts=LongTexts(long="window", max_length=24, stride=6),
        )
        for batches in (BatchOptions(rows=1, threads=1), BatchOptions(tokens=4096, threads=3))
    ]


@pytest.mark.slow
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(contexts=st.lists(CONTEXTS, min_size=1, max_size=4))
def test_answers_are_places_and_probabilities(
    answerers: list[Answerer], contexts: list[str]
) -> None:
    first, second = answerers
    readable = [c for c in contexts if len(first._tokenizer.encode([c])[0])]
    asked = [("good ?", context) for context in readable]
    for context, one, other in zip(readable, first(asked), second(asked), strict=True):
        spans = {(a.start, a.end): a.score for a in one.ranked if a.start is not None}
        for answer in one.ranked:
            if answer.start is not None:
                assert answer.text == context[answer.start : answer.end] != ""
        assert len(spans) == sum(a.start is not None for a in one.ranked)
        total = sum(spans.values()) + one.no_answer_score
        assert total == pytest.approx(1, abs=1e-4)
        assert one.no_answer_score == pytest.approx(other.no_answer_score, rel=1e-3)
        others = {(a.start, a.end): a.score for a in other.ranked if a.start is not None}
        assert others == pytest.approx(spans, rel=1e-3)


def test_a_band_holds_every_short_span() -> None:
    starts, ends = torch.randn(2, 9), torch.randn(2, 9)
    spans = band(starts, ends, 4)
    assert spans.shape == (2, 9, 4)
    for row in range(2):
        for first in range(9):
            for length in range(4):
                last = first + length
                expected = starts[row, first] + ends[row, last] if last < 9 else -math.inf
                assert spans[row, first, length] == expected


def test_windows_that_overlap_add_up() -> None:
    starts, ends = torch.randn(2, 6), torch.randn(2, 6)
    whole = merged([(0, starts[0], ends[0]), (4, starts[1], ends[1])], 3)
    assert whole.shape == (10, 3)
    shared = math.exp(starts[0, 4] + ends[0, 5]) + math.exp(starts[1, 0] + ends[1, 1])
    assert whole[4, 1].exp() == pytest.approx(shared, rel=1e-5)
    assert whole[2, 1] == starts[0, 2] + ends[0, 3]
    assert whole[5, 1] == starts[1, 1] + ends[1, 2]  # it begins in both and ends in one


def test_ranks_leave_out_what_is_no_span() -> None:
    starts = torch.tensor([[0.0, -math.inf, 2.0]])
    ends = torch.tensor([[1.0, 5.0, -math.inf]])
    (ranking,) = ranked(band(starts, ends, 3), 10)
    assert ranking.spans == [(5.0, 0, 1), (1.0, 0, 0)]
    assert ranking.log_sum == pytest.approx(math.log(math.exp(5) + math.exp(1)), rel=1e-6)


def test_columns() -> None:
    answers = Answers((Answer("a", 0.5, 0, 1), Answer("b", 0.25, 2, 3)), 0.125)
    columns = AnswerColumns(top_k=3)
    assert columns.names == [
        "answer", "score", "start", "end", "answer_2", "score_2", "answer_3", "score_3",
        "no_answer_score",
    ]  # fmt: skip
    assert columns.values(answers) == ["a", 0.5, 0, 1, "b", 0.25, None, None, 0.125]
    assert AnswerColumns().values(answers) == ["a", 0.5, 0, 1, 0.125]


def test_rows_are_counted_where_they_may_have_no_answer() -> None:
    found, none = Answers((Answer("a", 0.5, 0, 1),), 0.125), Answers((Answer("", 0.9),), 0.9)
    assert AnswerColumns().counted(found) == []
    columns = AnswerColumns(counted_apart=True)
    assert columns.counted(found) == ["an answer"]
    assert columns.counted(none) == ["no answer"]
