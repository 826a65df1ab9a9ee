from collections.abc import Callable
from pathlib import Path

import pytest

from distilcli.compression.data import DataRows, read_data
from distilcli.compression.options import CompressOptions
from distilcli.errors import InputError
from distilcli.tasks.spec import TASKS

Make = Callable[..., Path]


def read(task: str, path: Path, text: str, **columns: str) -> DataRows:
    path.write_text(text, encoding="utf-8")
    return read_data(CompressOptions(int8=True, data=str(path), **columns), TASKS[task])


@pytest.mark.parametrize(
    ("task", "rows", "texts", "gold"),
    [
        ("classify", "text,label\ngood,x\nbad,y\n", ["good", "bad"], "label"),
        ("classify", "text\ngood\n", ["good"], None),
        ("qa", "question,context\nwho,me\n", ["who", "me"], None),
        ("tag", "text\nthe film\n", ["the film"], None),
        ("tag", "tokens,tags\nthe film,O O\n", ["the", "film"], "tags"),
        ("embed", "sentence1,sentence2\none,two\n", ["one"], None),
        ("mlm", "text\ngood\n", ["good"], None),
        ("choose", 'prompt,options\none,"[""a"", ""b""]"\n', ["one", "a", "b"], None),
    ],
)
def test_every_task_reads_its_rows(
    tmp_path: Path, task: str, rows: str, texts: list[str], gold: str | None
) -> None:
    data = read(task, tmp_path / "rows.csv", rows)
    assert list(data.texts()) == texts
    assert data.gold == gold


def test_a_column_that_is_missing(tmp_path: Path) -> None:
    for columns in ({"text_column": "body"}, {"label_column": "topic"}):
        with pytest.raises(InputError, match=r"body|topic"):
            read("classify", tmp_path / "rows.csv", "text,label\ngood,x\n", **columns)
    with pytest.raises(InputError, match="text"):
        read("classify", tmp_path / "rows.csv", "a,b\n1,2\n")


def test_a_model_agrees_with_itself(tmp_path: Path, tiny_folder: Path) -> None:
    data = read("classify", tmp_path / "rows.csv", 'text\ngood film\n""\nbad film\n')
    engine = data.engine(str(tiny_folder), device="cpu")
    expected = data.values(engine)
    assert expected[1] is None  # an empty text is not read
    assert data.agreement(engine, expected) == (1.0, 2)


def test_rows_without_any_text(tmp_path: Path, tiny_folder: Path) -> None:
    data = read("classify", tmp_path / "rows.csv", 'text,label\n"",x\n')
    engine = data.engine(str(tiny_folder), device="cpu")
    with pytest.raises(InputError):
        data.agreement(engine, data.values(engine))
    with pytest.raises(InputError):
        data.pieces(engine, 10)
