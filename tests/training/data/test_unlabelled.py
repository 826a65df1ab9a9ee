"""Rows of tag and qa that have a teacher, and may have no label."""

import json
from pathlib import Path
from typing import Any

import pytest

from distilcli.errors import InputError
from distilcli.rows.reader import open_rows
from distilcli.training.data.columns import Columns
from distilcli.training.data.labelled import UNLABELLED
from distilcli.training.data.questions import read_questions
from distilcli.training.data.tagged import read_tagged

NAMES = ("O", "B-PER", "I-PER", "B-LOC")
VALID = "Ann B-PER\nsang O\n\nOslo B-LOC\nslept O\n"


def source(path: Path, text: str) -> Any:
    path.write_text(text, encoding="utf-8")
    return open_rows([str(path)])


def tagged(tmp_path: Path, name: str, text: str, valid: str | None = VALID, **options: Any) -> Any:
    settings = {"label_column": None, "share": 0.5, "seed": 0, "known": NAMES, "taught": True}
    return read_tagged(
        source(tmp_path / name, text),
        None if valid is None else source(tmp_path / "v.conll", valid),
        **{**settings, **options},
    )


def test_words_alone_are_unlabelled(tmp_path: Path) -> None:
    first, second = tagged(tmp_path, "t.conll", "Ann\nsang\n\nBob\n")
    assert first.words == [["Ann", "sang"], ["Bob"]]
    assert first.labels == [[UNLABELLED] * 2, [UNLABELLED]]
    assert second.labels == [[1, 0], [3, 0]]
    assert first.label_names == second.label_names == NAMES
    with pytest.raises(InputError, match="has one column, words without labels"):
        tagged(tmp_path, "t.conll", "Ann\nsang\n", taught=False)
    with pytest.raises(InputError, match=r"v.conll: has one column, words without labels"):
        tagged(tmp_path, "t.conll", "Ann\nsang\n", "Ann\n")


def test_json_rows_may_have_tags_or_not(tmp_path: Path) -> None:
    lines = [
        '{"tokens": ["Ann", "sang"]}',
        '{"tokens": ["Bob"], "ner_tags": null}',
        '{"tokens": ["Oslo"], "ner_tags": ["B-LOC"]}',
        '{"tokens": ["Oslo", "is"], "ner_tags": ["B-LOC", ""]}',
    ]
    first, _ = tagged(tmp_path, "t.jsonl", "\n".join(lines))
    assert first.labels == [[UNLABELLED] * 2, [UNLABELLED], [3], [3, UNLABELLED]]
    with pytest.raises(InputError, match="no column 'ner_tags'"):
        tagged(tmp_path, "t.jsonl", "\n".join(lines), taught=False)


def test_only_labelled_sentences_are_set_aside(tmp_path: Path) -> None:
    lines = ['{"tokens": ["Ann"]}', '{"tokens": ["Bob"], "ner_tags": ["B-PER"]}'] * 4
    first, second = tagged(tmp_path, "t.jsonl", "\n".join(lines[1:]), None)
    assert second.labels == [[1], [1]]
    assert sorted(first.labels) == [[UNLABELLED]] * 3 + [[1]] * 2
    with pytest.raises(InputError, match="no row has a label to validate on; give --valid a file"):
        tagged(tmp_path, "t.conll", "Ann\n\nBob\n", None)


def test_a_tag_that_the_teacher_does_not_know_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        tagged(tmp_path, "t.conll", "Ann B-PRE\n")
    assert str(caught.value).endswith(
        "has the label 'B-PRE', which the teacher does not have; did you mean 'B-PER'? "
        "(its: O, B-PER, I-PER, B-LOC)"
    )
    with pytest.raises(InputError, match=r"v.conll: has the label 'X', which the training rows do"):
        tagged(tmp_path, "t.conll", "Ann B-PER\nsang O\n", "Bob X\n", taught=False)


ANSWERED = '{"question": "who?", "context": "Ann sang", "answers": [{"text": "Ann"}]}\n'


SQUAD = json.dumps(
    {"data": [{"paragraphs": [{"context": "Ann sang", "qas": [{"id": "1", "question": "who?"}]}]}]}
)


def asked(tmp_path: Path, name: str, text: str, valid: str | None = ANSWERED, **more: Any) -> Any:
    settings = {"columns": Columns(), "share": 0.5, "seed": 0, "taught": True}
    return read_questions(
        source(tmp_path / name, text),
        None if valid is None else source(tmp_path / "v.jsonl", valid),
        **{**settings, **more},
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "question,context\nwho?,Ann sang\n"),
        ("t.jsonl", '{"question": "who?", "context": "Ann sang"}\n'),
        ("t.json", SQUAD),
    ],
)
def test_questions_may_lack_their_answers(tmp_path: Path, name: str, text: str) -> None:
    (question,), (valid,) = asked(tmp_path, name, text)
    assert (question.pair, question.answers) == (("who?", "Ann sang"), ())
    assert question.start == UNLABELLED
    assert valid.start == 0
    with pytest.raises(InputError, match="no column 'answers'"):
        asked(tmp_path, name, text, taught=False)


def test_no_answer_is_not_a_missing_one(tmp_path: Path) -> None:
    lines = [
        '{"question": "a?", "context": "Ann sang"}',
        '{"question": "b?", "context": "Ann sang", "answers": []}',
        '{"question": "c?", "context": "Ann sang", "answers": null}',
        '{"question": "d?", "context": "Ann sang", "answers": [{"text": "sang"}]}',
    ]
    found = asked(tmp_path, "t.jsonl", "\n".join(lines))[0]
    assert [question.start for question in found] == [UNLABELLED, None, UNLABELLED, 4]


def test_only_contexts_with_answers_are_set_aside(tmp_path: Path) -> None:
    answered = "".join(
        f'{{"question": "q", "context": "Ann {n}", "answers": [{{"text": "Ann"}}]}}\n'
        for n in range(4)
    )
    without = '{"question": "q", "context": "Bob"}\n{"question": "r", "context": "Ann 0"}\n'
    first, second = asked(tmp_path, "t.jsonl", answered + without, None)
    assert all(question.start == 0 for question in second)
    assert len(second) in {1, 2}
    assert "Ann 0" not in {question.context for question in second}
    assert len(first) + len(second) == 6
    with pytest.raises(InputError, match="no context has answers to validate on; give --valid"):
        asked(tmp_path, "t.jsonl", without, None)
