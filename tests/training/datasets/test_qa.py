import json
from pathlib import Path
from typing import Any

import pytest

from distilcli.errors import InputError
from distilcli.gold.columns import Columns
from distilcli.rows.reader import open_rows
from distilcli.training.datasets.base import DatasetOptions
from distilcli.training.datasets.qa import MISSING, Question, read_dataset


def rows(path: Path, content: str, **columns: Any) -> list[Question]:
    path.write_text(content, encoding="utf-8")
    options = DatasetOptions(columns=Columns(**columns))
    train, valid = read_dataset(open_rows([str(path)]), open_rows([str(path)]), options)
    assert train == valid
    return train


def squad(*questions: dict[str, Any], context: str = "the film was dull") -> str:
    paragraphs = [{"context": context, "qas": list(questions)}]
    return json.dumps({"version": "v", "data": [{"title": "t", "paragraphs": paragraphs}]})


def test_squad(tmp_path: Path) -> None:
    given = [{"text": "dull", "answer_start": 13}, {"text": "was dull", "answer_start": 9}]
    content = squad(
        {"id": "1", "question": "how?", "answers": given},
        {"id": "2", "question": "why?", "answers": [], "is_impossible": True},
    )
    assert rows(tmp_path / "a.json", content) == [
        Question("how?", "the film was dull", ("dull", "was dull"), 13, said=13),
        Question("why?", "the film was dull", (), None),
    ]


def test_rows_with_a_column_for_each(tmp_path: Path) -> None:
    content = "question,context,answer,answer_start\nwhat,bad bad film,bad,4\nx,bad film,,\n"
    assert rows(tmp_path / "a.csv", content) == [
        Question("what", "bad bad film", ("bad",), 4, said=4),
        Question("x", "bad film", (), None),
    ]


@pytest.mark.parametrize("start", ["", "2", "99"])
def test_a_place_that_is_not_the_answers_is_looked_for(tmp_path: Path, start: str) -> None:
    content = f"question,context,answer,start\nwhat,bad bad film,bad,{start}\n"
    assert rows(tmp_path / "a.csv", content)[0].start == 0


def test_an_answer_that_is_not_in_its_context_is_kept_for_the_checks(tmp_path: Path) -> None:
    (found,) = rows(tmp_path / "a.csv", "question,context,answer\nx,a b,c\n")
    assert (found.answers, found.start, found.is_usable) == (("c",), MISSING, False)
    assert not Question(" ", "a b", ("a",), 0).is_usable
    assert not Question("x", "", (), None).is_usable


@pytest.mark.parametrize(
    "answers",
    [
        {"text": ["bad", "bad film"], "answer_start": [4, 4]},
        '[{"text": "bad", "answer_start": 4}, {"text": "bad film", "answer_start": 4}]',
        '{"text": ["bad", "bad film"], "answer_start": ["4", "4"]}',
    ],
    ids=["lists", "cell", "cell of lists"],
)
def test_answers_are_read_as_evaluate_reads_them(tmp_path: Path, answers: Any) -> None:
    row = {"question": "what", "context": "bad bad film", "answers": answers}
    (found,) = rows(tmp_path / "a.jsonl", json.dumps(row) + "\n")
    assert found == Question("what", "bad bad film", ("bad", "bad film"), 4, said=4)
    row["answers"] = ["film", "bad film"]
    (found,) = rows(tmp_path / "a.jsonl", json.dumps(row) + "\n")
    assert found == Question("what", "bad bad film", ("film", "bad film"), 8)
    for nothing in ("[]", " ", {"text": [], "answer_start": []}):
        row["answers"] = nothing
        assert rows(tmp_path / "a.jsonl", json.dumps(row) + "\n")[0].start is None


def test_columns_by_their_names(tmp_path: Path) -> None:
    content = '{"q": "what", "c": "bad film", "a": "film"}\n'
    found = rows(tmp_path / "a.jsonl", content, text_column="q", pair_column="c", label_column="a")
    assert found == [Question("what", "bad film", ("film",), 4)]


def test_the_questions_of_some_contexts_are_set_aside(tmp_path: Path) -> None:
    lines = [f"q{n},context {n // 3},context\n" for n in range(30)]
    path = tmp_path / "a.csv"
    path.write_text("question,context,answer\n" + "".join(lines))
    train, valid = read_dataset(open_rows([str(path)]), None, DatasetOptions(share=0.2))
    assert (len(train), len(valid)) == (24, 6)
    assert not {q.context for q in train} & {q.context for q in valid}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("question,context,answer\n", "has no questions to learn from"),
        ("question,answer\nx,c\n", "no column 'context' in .*; name it with `pair_column`"),
        ("context,answer\nx,c\n", "no column 'question' in .*; name it with `text_column`"),
        (
            "question,context\nx,c\n",
            "no label column beside .*; name it with `label_column`",
        ),
        ("question,context,answer\nx,c\n", "line 2: 2 cells where the header has 3"),
        (
            "question,context,answer,start\nx,a b,a,one\n",
            "column 'start': 'one' is not a whole",
        ),
    ],
)
def test_rows_that_cannot_be_learned_are_named(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        rows(tmp_path / "a.csv", content)
    assert type(caught.value) is InputError
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "answers",
    [[["film"]], {"text": "film"}, [{"answer_start": 3}], [{"text": "film", "answer_start": "x"}]],
)
def test_an_answer_that_is_none_is_named(tmp_path: Path, answers: Any) -> None:
    line = json.dumps({"question": "q", "context": "a film", "answers": answers})
    with pytest.raises(InputError, match=r"a.jsonl: line 1"):
        rows(tmp_path / "a.jsonl", line + "\n")


def test_one_context_is_too_few_to_set_any_aside(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("question,context,answer\nx,a b,a\ny,a b,b\n")
    with pytest.raises(InputError, match="1 context is too few to set 50% aside"):
        read_dataset(open_rows([str(path)]), None, DatasetOptions(share=0.5))
