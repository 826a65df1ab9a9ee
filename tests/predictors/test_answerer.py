import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distilcli.errors import ModelError, RowError, UsageError
from distilcli.predictors.answerer import Answerer
from distilcli.tasks.settings import BatchOptions, LongTexts

QUESTION = "was the film good ?"
CONTEXT = "i loved the Film , and the plot was GREAT fun . the sound was poor ."
LONG = CONTEXT * 9


def answerer(folder: Path, **settings: Any) -> Answerer:
    return Answerer(str(folder), device="cpu", batches=BatchOptions(threads=1), **settings)


def test_an_answer_is_a_place_in_the_context(qa_folder: Path) -> None:
    (found,) = answerer(qa_folder)([(QUESTION, CONTEXT)])
    assert found.best.start is not None
    assert found.answer == CONTEXT[found.best.start : found.best.end]
    assert 0 < found.score < 1
    assert 0 < found.no_answer_score < 1
    assert found.ranked == (found.best,)


def test_dicts_and_tuples_give_the_same_in_their_order(qa_folder: Path) -> None:
    ours = answerer(qa_folder)
    asked = [(QUESTION, CONTEXT), ("dull ?", LONG), ("works ?", "it works")]
    dicts = [{"id": 7, "question": question, "context": context} for question, context in asked]
    assert ours(dicts) == ours(asked)  # type: ignore[arg-type]
    for pair, together in zip(asked, ours(asked), strict=True):
        (alone,) = ours([pair])
        assert alone.answer == together.answer
        assert alone.score == pytest.approx(together.score, rel=1e-4)
    assert ours([]) == []


@pytest.mark.parametrize(
    "item", ["one", ("one",), ("a", 1), ["a", "b"], {"question": "a"}, {"question": 1}, None]
)
def test_what_is_no_question_is_refused(qa_folder: Path, item: Any) -> None:
    with pytest.raises(TypeError, match=r"give tuples \(question, context\) or dicts of both, not"):
        answerer(qa_folder)([item])


@pytest.mark.parametrize("item", [(QUESTION, CONTEXT), {"question": QUESTION, "context": CONTEXT}])
def test_one_question_gets_one_result(qa_folder: Path, item: Any) -> None:
    ours = answerer(qa_folder)
    assert [ours(item)] == ours([item])


@pytest.mark.parametrize("item", [QUESTION, {"question": "a"}, ("a",)])
def test_one_question_without_its_context_is_refused(qa_folder: Path, item: Any) -> None:
    with pytest.raises(TypeError, match=re.escape(f"or dicts of both, not {item!r}")):
        answerer(qa_folder)(item)


def test_the_best_answers(qa_folder: Path) -> None:
    (found,) = answerer(qa_folder, top_k=5)([(QUESTION, CONTEXT)])
    scores = [answer.score for answer in found.ranked]
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)
    assert len({(answer.start, answer.end) for answer in found.ranked}) == 5
    (one,) = answerer(qa_folder)([(QUESTION, CONTEXT)])
    assert one.best == found.best


def test_the_longest_answer(qa_folder: Path) -> None:
    found = answerer(qa_folder, top_k=500, max_answer_length=2)([(QUESTION, CONTEXT)])[0].ranked
    assert max(len(answer.text.split()) for answer in found) == 2
    n_tokens = len(CONTEXT.split())
    assert len(found) == n_tokens + n_tokens - 1


def test_no_answer_where_it_is_likelier_than_the_threshold(qa_folder: Path) -> None:
    (always,) = answerer(qa_folder, top_k=2)([(QUESTION, CONTEXT)])
    likely = always.no_answer_score
    (below,) = answerer(qa_folder, top_k=2, no_answer_threshold=likely * 1.01)(
        [(QUESTION, CONTEXT)]
    )
    (above,) = answerer(qa_folder, top_k=2, no_answer_threshold=likely * 0.99)(
        [(QUESTION, CONTEXT)]
    )
    assert below == always
    assert (above.answer, above.best.start, above.best.end) == ("", None, None)
    assert above.score == above.no_answer_score == likely
    assert above.ranked[1] == always.best


def test_a_threshold_of_the_model_holds_unless_another_is_given(
    qa_folder: Path, tmp_path: Path
) -> None:
    model = tmp_path / "qa"
    shutil.copytree(qa_folder, model)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"no_answer_threshold": 0.0}))
    (always,) = answerer(qa_folder)([(QUESTION, CONTEXT)])
    assert answerer(model)([(QUESTION, CONTEXT)])[0].answer == "" != always.answer
    assert answerer(model, no_answer_threshold=1)([(QUESTION, CONTEXT)])[0] == always


def test_a_long_context_is_read_to_its_end(qa_folder: Path) -> None:
    every = answerer(qa_folder, top_k=100_000)([(QUESTION, LONG)])[0]
    assert max(answer.end or 0 for answer in every.ranked) == len(LONG)
    assert sum(a.score for a in every.ranked) + every.no_answer_score == pytest.approx(1, abs=1e-4)
    cut = answerer(qa_folder, top_k=100_000, long_texts=LongTexts())([(QUESTION, LONG)])[0]
    assert max(answer.end or 0 for answer in cut.ranked) < len(LONG) / 2


def test_how_far_windows_overlap_matters(qa_folder: Path) -> None:
    scores = {
        answerer(qa_folder, long_texts=LongTexts(long="window", stride=stride))([(QUESTION, LONG)])[
            0
        ].no_answer_score
        for stride in (0, 8)
    }
    assert len(scores) == 2


def test_a_context_that_is_too_long_may_be_an_error(qa_folder: Path) -> None:
    with pytest.raises(RowError, match="the limit is 64"):
        answerer(qa_folder, long_texts=LongTexts(long="error"))([(QUESTION, LONG)])


@pytest.mark.parametrize(
    ("pair", "fault"),
    [
        ((" ", CONTEXT), "empty text: the question"),
        ((QUESTION, ""), "empty text: the context"),
        (("good " * 61, CONTEXT), "the question takes 61 of 64 tokens and leaves no room"),
    ],
)
def test_a_question_that_cannot_be_asked(
    qa_folder: Path, pair: tuple[str, str], fault: str
) -> None:
    with pytest.raises(RowError, match=fault):
        answerer(qa_folder)([pair])


def test_a_question_may_leave_room_for_one_token(qa_folder: Path) -> None:
    (found,) = answerer(qa_folder, top_k=99)([("good " * 60, "was it dull")])
    assert {answer.text for answer in found.ranked} == {"was", "it", "dull"}


@pytest.mark.parametrize(
    "settings",
    [
        {"top_k": 0},
        {"max_answer_length": 0},
        {"long_texts": LongTexts(max_length=3)},
    ],
)
def test_settings_that_cannot_be_meant(qa_folder: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"^`[a-z_]+` [0-9]"):
        answerer(qa_folder, **settings)([(QUESTION, CONTEXT)])


def test_a_model_without_the_head_is_refused(tiny_folder: Path) -> None:
    with pytest.raises(ModelError, match="has no trained question answering head"):
        answerer(tiny_folder)


def test_weights_that_give_no_number_are_an_error(make_model: Callable[..., Path]) -> None:
    ours = answerer(make_model(head="QuestionAnswerer"))
    ours._models[0].qa_outputs.bias.data.fill_(float("nan"))
    with pytest.raises(RowError, match="the model gave no number"):
        ours([(QUESTION, CONTEXT)])
