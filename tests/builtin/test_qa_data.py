import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
import qa_data
from qa_data import Row


def article(*contexts: str) -> dict[str, object]:
    paragraphs = []
    for number, context in enumerate(contexts):
        answer = context.split()[-1]
        question = f"Which city did Anna see first in {1900 + number} ?"
        asked = {
            "id": f"q{number}",
            "question": question,
            "answers": [{"text": answer, "answer_start": context.index(answer)}],
        }
        paragraphs.append({"context": context, "qas": [asked]})
    return {"title": "A city", "paragraphs": paragraphs}


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(qa_data, "_MAX_ROWS", {"qamr": 2})
    monkeypatch.setattr(qa_data, "_HELD_OUT", 0.5)
    squad = article(
        "In 1900 she and Anna went first to Oslo", "In 1901 she and Anna went to Rome", "x " * 151
    )
    (tmp_path / "squad").mkdir()
    for name in ("train", "valid"):
        (tmp_path / "squad" / f"{name}.json").write_text(json.dumps({"data": [squad]}))
    rows = [
        {"id": str(n), "question": "q", "context": f"c{n // 3}", "answer": "c", "answer_start": 0}
        for n in range(6)
    ]
    (tmp_path / "qamr").mkdir()
    (tmp_path / "qamr" / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def rows(path: Path) -> dict[str, Row]:
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [Row(**json.loads(line)) for line in lines]
    return {row.id: replace(row, answer=row.answer or None) for row in found}


def test_questions_without_answer_are_made(sources: Path, tmp_path: Path) -> None:
    qa_data.main(sources, tmp_path / "out")
    found = rows(tmp_path / "out" / "dev-squad.jsonl")
    assert sorted(found) == ["q0", "q0-changed", "q0-moved", "q1", "q1-changed", "q1-moved"]
    assert found["q0"].answer == "Oslo"
    assert found["q0"].context[found["q0"].answer_start or 0 :] == "Oslo"
    moved = found["q0-moved"]
    assert (moved.question, moved.context) == (found["q0"].question, found["q1"].context)
    changed = found["q0-changed"]
    assert changed.question != found["q0"].question
    assert changed.context == found["q0"].context
    assert {moved.answer, moved.answer_start, changed.answer, changed.answer_start} == {None}


def test_contexts_are_set_aside_whole(sources: Path, tmp_path: Path) -> None:
    qa_data.main(sources, tmp_path / "out")
    aside = rows(tmp_path / "out" / "dev-qamr.jsonl")
    assert sorted(aside) == ["3", "4", "5"]
    trained = rows(tmp_path / "out" / "train.jsonl")
    assert len([row for row in trained.values() if row.context == "c0"]) == 2
    assert not {row.context for row in trained.values()} & {"c1"}


@pytest.mark.parametrize(
    ("question", "changed"),
    [
        ("When did Anna go there?", "When did Bert go there?"),
        ("Who came in 1900?", "Who came in 1905?"),
        ("Who came last?", "Who came first?"),
        ("Who was there?", "Who wasn't there?"),
    ],
)
def test_a_question_is_changed(question: str, changed: str) -> None:
    row = Row("1", question, "In 1900 Anna came.", "Anna", 8)
    names, numbers = ["Anna", "Bert", "Carl Maria"], ["1900", "1905", "7"]
    (found,) = qa_data._changed(row, names, numbers, random.Random(0))
    assert found == Row("1-changed", changed, row.context, None, None)


def test_a_question_without_anything_to_change_is_left_out() -> None:
    row = Row("1", "Who came?", "Anna came.", "Anna", 0)
    assert list(qa_data._changed(row, [], [], random.Random(0))) == []


def test_a_passage_that_has_the_answer_is_no_place_to_move_to() -> None:
    row = Row("1", "Who came?", "Anna came.", "Anna", 0)
    contexts = ["Anna came.", "Then ANNA came again.", "Bert left."]
    bags = [set(text.lower().split()) for text in contexts]
    rarity = {word: 1.0 for bag in bags for word in bag}
    (found,) = qa_data._moved(row, contexts, bags, rarity)
    assert found == Row("1-moved", row.question, "Bert left.", None, None)
    assert list(qa_data._moved(row, contexts[:2], bags[:2], rarity)) == []
