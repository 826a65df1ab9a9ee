import json
from pathlib import Path
from typing import Any

import pytest

from distilcli.errors import InputError, UsageError
from distilcli.gold.columns import Columns
from distilcli.rows.reader import open_rows
from distilcli.training.datasets.base import DatasetOptions
from distilcli.training.datasets.choose import SolvedProblem, read_dataset


def read(path: Path, content: str, **columns: Any) -> list[SolvedProblem]:
    path.write_text(content, encoding="utf-8")
    options = DatasetOptions(columns=Columns(**columns))
    train, valid = read_dataset(open_rows([str(path)]), open_rows([str(path)]), options)
    assert train == valid
    return train


def lines(*rows: dict[str, object]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize(
    "answers",
    [("two", "one"), ("B", "a"), ("1", "0"), (1, 0)],
    ids=["text", "letter", "number", "n"],
)
def test_an_answer_by_its_text_its_letter_or_its_number(
    tmp_path: Path, answers: tuple[object, object]
) -> None:
    rows = [
        {"prompt": "p", "options": ["one", "two"], "answer": answers[0]},
        {"prompt": "q", "options": ["one", "two", "three"], "answer": answers[1]},
    ]
    assert read(tmp_path / "a.jsonl", lines(*rows)) == [
        SolvedProblem("p", ("one", "two"), 1),
        SolvedProblem("q", ("one", "two", "three"), 0),
    ]


def test_all_rows_say_it_in_one_way(tmp_path: Path) -> None:
    """A number that is the text of an option too is a number if it has to be one elsewhere."""
    rows = [
        {"prompt": "p", "options": ["1", "0"], "label": 1},
        {"prompt": "q", "options": ["5", "7"], "label": 1},
    ]
    assert [solved.answer for solved in read(tmp_path / "a.jsonl", lines(*rows))] == [1, 1]
    assert read(tmp_path / "b.jsonl", lines(rows[0]))[0].answer == 0


def test_a_column_for_each_option(tmp_path: Path) -> None:
    content = "sent,e0,e1,e2,gold\np,a,,b,2\n"
    found = read(tmp_path / "a.csv", content, text_column="sent", option_columns=("e0", "e1", "e2"))
    assert found == [SolvedProblem("p", ("a", None, "b"), 2)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"prompt": "p", "options": ["a", "b"], "label": "c"},
            "line 1, column 'label': 'c' is nei",
        ),
        ({"prompt": "p", "options": ["a", "b"], "label": 2}, "line 1, column 'label': '2' is nei"),
        ({"prompt": "p", "options": ["a"], "label": 0}, "line 1: 1 option; there must be at least"),
        ({"prompt": "p", "options": ["a", " "], "label": 0}, "line 1: option 1 .* is empty"),
        (
            {"prompt": " ", "options": ["a", "b"], "label": 0},
            "every row has an empty text; is it in 'prompt'",
        ),
        ({"prompt": "p", "options": "a, b", "label": 0}, "'options' is not a JSON list of texts"),
        (
            {"prompt": "p", "options": ["a", "b"]},
            "no label column beside .*'options'; .*`label_column`",
        ),
        ({"prompt": "p", "label": 0}, "no column 'options' in .*`options_column`"),
    ],
)
def test_rows_that_cannot_be_learned_are_named(
    tmp_path: Path, row: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / "a.jsonl", lines(row))
    assert type(caught.value) is InputError


def test_the_first_row_that_does_not_fit_is_named(tmp_path: Path) -> None:
    good = {"prompt": "p", "options": ["a", "b"], "label": 1}
    with pytest.raises(InputError, match="line 3, column 'label': '4' is neither"):
        read(tmp_path / "a.jsonl", lines(good, good, {**good, "label": 4}))


def test_an_answer_where_there_is_no_option(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 2, column 'gold': '1' is neither the text of an"):
        read(tmp_path / "a.csv", "prompt,x,y,z,gold\np,a,,b,1\n", option_columns=("x", "y", "z"))
    with pytest.raises(UsageError, match="name at least two columns"):
        read(tmp_path / "a.csv", "prompt,x,gold\np,a,0\n", option_columns=("x",))
