from pathlib import Path
from typing import Any

import pytest

from distilcli.errors import InputError, UsageError
from distilcli.gold.columns import Columns, gold_column, pair_column, text_column
from distilcli.rows.reader import RowSource, open_rows
from distilcli.tasks.spec import TASKS


@pytest.fixture
def source(tmp_path: Path) -> Any:
    def source(header: str, name: str = "a.csv") -> RowSource:
        path = tmp_path / name
        path.write_text(header + "\n")
        return open_rows([str(path)])

    return source


@pytest.mark.parametrize(
    ("task", "header", "expected"),
    [
        ("classify", "text,other,Label", ("text", None, "Label")),
        ("classify", "sentiment,category,review", ("review", None, "category")),
        ("multilabel", "label,labels,text", ("text", None, "labels")),
        ("regress", "label,text,score", ("text", None, "score")),
        ("tag", "tags,words", ("words", None, "tags")),
        ("qa", "answer,context,question", ("question", "context", "answer")),
        ("embed", "text1,text2,similarity", ("text1", "text2", "similarity")),
        ("choose", "options,answer,prompt", ("prompt", None, "answer")),
    ],
)
def test_usual_columns(source: Any, task: str, header: str, expected: Any) -> None:
    spec, columns, rows = TASKS[task], Columns(), source(header)
    first, second = text_column(rows, spec, columns), pair_column(rows, spec, columns)
    assert (first, second, gold_column(rows, spec, columns, taken=[first, second])) == expected


def test_named_columns(source: Any) -> None:
    columns = Columns(text_column="q", pair_column="c", label_column="a")
    spec, rows = TASKS["qa"], source("a,c,q,question,context,answer")
    found = (text_column(rows, spec, columns), pair_column(rows, spec, columns))
    assert (*found, gold_column(rows, spec, columns)) == ("q", "c", "a")
    with pytest.raises(InputError, match=r"no column 'lable' in .*did you mean 'label'"):
        gold_column(source("text,label"), TASKS["classify"], Columns(label_column="lable"))


def test_a_column_that_is_taken_is_not_the_gold_one(source: Any) -> None:
    rows = source("label,target,text")
    assert gold_column(rows, TASKS["classify"], Columns(), taken=["label"]) == "target"
    with pytest.raises(InputError, match="no label column beside 'label', 'target'; name it with"):
        gold_column(rows, TASKS["classify"], Columns(), taken=["label", "target"])


def test_lines_of_text_are_not_their_own_labels(source: Any) -> None:
    for task in ("classify", "qa", "choose"):
        with pytest.raises(InputError, match="no label column beside 'text'"):
            gold_column(source("a line", "a.txt"), TASKS[task], Columns(), taken=["text"])


def test_one_that_may_be_missing(source: Any) -> None:
    rows, spec = source("text,other"), TASKS["classify"]
    assert gold_column(rows, spec, Columns(), may_be_missing=True) == "label"
    named = Columns(label_column="mood")
    assert gold_column(rows, spec, named, may_be_missing=True) == "mood"


def test_the_last_column_of_conll(source: Any) -> None:
    rows = source("EU N B-ORG", "a.conll")
    assert gold_column(rows, TASKS["tag"], Columns()) == "column_3"
    assert gold_column(rows, TASKS["tag"], Columns(), taken=["column_3"]) == "column_2"
    assert gold_column(rows, TASKS["tag"], Columns(label_column="column_2")) == "column_2"
    with pytest.raises(InputError, match="CoNLL has a label for each word; give `task` tag"):
        gold_column(rows, TASKS["classify"], Columns())
    with pytest.raises(InputError, match="has one column, words without labels"):
        gold_column(source("EU", "b.conll"), TASKS["tag"], Columns())


@pytest.mark.parametrize("setting", ["labels", "label_columns", "option_columns"])
def test_a_name_that_comes_twice_is_refused(setting: str) -> None:
    with pytest.raises(UsageError, match=f"`{setting}`: 'b' is named twice"):
        Columns(**{setting: ("a", "b", "c", "b")})  # type: ignore[arg-type]
