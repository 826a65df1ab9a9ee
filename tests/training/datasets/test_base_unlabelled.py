"""Rows that have a teacher, and may have no label."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from distilcli.errors import InputError
from distilcli.rows.reader import open_rows
from distilcli.training.datasets import choose, multilabel, qa, regress, tag
from distilcli.training.datasets.base import DatasetOptions
from distilcli.training.datasets.classify import UNLABELLED
from distilcli.training.datasets.multilabel import WITHOUT

NAMES = ("O", "B-PER", "I-PER", "B-LOC")
VALID = "Ann B-PER\nsang O\n\nOslo B-LOC\nslept O\n"


def source(path: Path, text: str) -> Any:
    path.write_text(text, encoding="utf-8")
    return open_rows([str(path)])


def tagged(tmp_path: Path, name: str, text: str, valid: str | None = VALID, **options: Any) -> Any:
    settings = {"share": 0.5, "known": NAMES, "taught": True, **options}
    return tag.read_dataset(
        source(tmp_path / name, text),
        None if valid is None else source(tmp_path / "v.conll", valid),
        DatasetOptions(**settings),
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
        '{"tokens": ["Oslo", "is"], "ner_tags": ["B-LOC", null]}',
        '{"tokens": ["Oslo"], "ner_tags": ""}',
    ]
    first, _ = tagged(tmp_path, "t.jsonl", "\n".join(lines))
    some = [3, UNLABELLED]
    assert first.labels == [[UNLABELLED] * 2, [UNLABELLED], [3], some, some, [UNLABELLED]]
    with pytest.raises(InputError, match="no label column beside 'tokens'"):
        tagged(tmp_path, "t.jsonl", "\n".join(lines), taught=False)


def test_only_labelled_sentences_are_set_aside(tmp_path: Path) -> None:
    lines = ['{"tokens": ["Ann"]}', '{"tokens": ["Bob"], "ner_tags": ["B-PER"]}'] * 4
    first, second = tagged(tmp_path, "t.jsonl", "\n".join(lines[1:]), None)
    assert second.labels == [[1], [1]]
    assert sorted(first.labels) == [[UNLABELLED]] * 3 + [[1]] * 2
    with pytest.raises(InputError, match="no row has a label to validate on; give a `valid` file"):
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
    settings = {"share": 0.5, "taught": True, **more}
    return qa.read_dataset(
        source(tmp_path / name, text),
        None if valid is None else source(tmp_path / "v.jsonl", valid),
        DatasetOptions(**settings),
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
    with pytest.raises(InputError, match="no label column beside 'question', 'context'"):
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
    with pytest.raises(InputError, match="no context has a label to validate on; give a `valid`"):
        asked(tmp_path, "t.jsonl", without, None)


def of_texts(
    read: Any, tmp_path: Path, name: str, text: str, valid: str | None, **more: Any
) -> Any:
    settings = {"share": 0.5, "taught": True, **more}
    return read(
        source(tmp_path / name, text),
        None if valid is None else source(tmp_path / f"v-{name}", valid),
        DatasetOptions(**settings),
    )


def several(*given: Any) -> Any:
    return of_texts(multilabel.read_dataset, *given, known=("a", "b"))


def test_a_row_may_not_say_which_labels_it_has(tmp_path: Path) -> None:
    lines = [
        '{"text": "s"}',
        '{"text": "t", "labels": null}',
        '{"text": "u", "labels": []}',
        '{"text": "v", "labels": ""}',
        '{"text": "w", "labels": ["b"]}',
    ]
    text = "\n".join(lines)
    first, second = several(tmp_path, "t.jsonl", text, lines[4])
    assert first.labels == [WITHOUT, WITHOUT, (), (), (1,)]
    assert first.label_names == second.label_names == ("a", "b")
    first, second = several(tmp_path, "t.jsonl", text, None)
    assert WITHOUT not in second.labels
    assert len(second.labels) == 2
    (row,) = several(tmp_path, "t.csv", "text\nx\n", "text,label\ny,a\n")[0].labels
    assert row == WITHOUT
    with pytest.raises(InputError, match="has the label 'c', which the teacher does not have"):
        several(tmp_path, "t.csv", "text,label\nx,c\ny,a\n", None)


def test_a_row_may_have_no_number(tmp_path: Path) -> None:
    text = "text,score\ns,\nt,1\nu, \nv,2.5\nw,4\nx,8\n"
    first, second = of_texts(
        regress.read_dataset,
        tmp_path,
        "t.csv",
        text,
        text.replace(",\n", ",3\n").replace(", \n", ",3\n"),
    )
    assert [None if math.isnan(it) else it for it in first.labels] == [None, 1, None, 2.5, 4, 8]
    assert second.labels == [3, 1, 3, 2.5, 4, 8]
    first, second = of_texts(regress.read_dataset, tmp_path, "t.csv", text, None)
    assert len(second.labels) == 2
    assert not any(map(math.isnan, second.labels))
    assert sum(map(math.isnan, first.labels)) == 2
    (row,) = of_texts(
        regress.read_dataset,
        tmp_path,
        "u.csv",
        "text\nx\n",
        text.replace(",\n", ",3\n").replace(", \n", ",3\n"),
    )[0].labels
    assert math.isnan(row)
    with pytest.raises(InputError, match="line 2, column 'score': 'x' is not a number"):
        of_texts(regress.read_dataset, tmp_path, "t.csv", "text,score\ns,x\n", None)
    with pytest.raises(InputError, match="line 2, column 'score': no value"):
        of_texts(regress.read_dataset, tmp_path, "t.csv", text, None, taught=False)


def solved(tmp_path: Path, name: str, text: str, valid: str | None, **more: Any) -> Any:
    settings = {"share": 0.5, "taught": True, **more}
    return choose.read_dataset(
        source(tmp_path / name, text),
        None if valid is None else source(tmp_path / "v.jsonl", valid),
        DatasetOptions(**settings),
    )


def test_a_problem_may_lack_its_answer(tmp_path: Path) -> None:
    lines = [
        '{"prompt": "p", "options": ["a", "b"]}',
        '{"prompt": "q", "options": ["a", "b"], "label": null}',
        '{"prompt": "r", "options": ["a", "b"], "label": "B"}',
        '{"prompt": "s", "options": ["a", "b"], "label": " "}',
        '{"prompt": "t", "options": ["a", "b"], "label": "A"}',
    ]
    text = "\n".join(lines)
    first, _ = solved(tmp_path, "t.jsonl", text, lines[4])
    assert [problem.answer for problem in first] == [UNLABELLED, UNLABELLED, 1, UNLABELLED, 0]
    first, second = solved(tmp_path, "t.jsonl", text, None)
    assert len(second) == 1
    assert second[0].answer in {0, 1}
    with pytest.raises(InputError, match="no label column beside 'prompt', 'options'"):
        solved(tmp_path, "t.jsonl", text, None, taught=False)
    with pytest.raises(InputError, match="no row has a label to validate on; give a `valid` file"):
        solved(tmp_path, "t.jsonl", lines[0], None)
