import json
from pathlib import Path
from typing import Any

import pytest

from distilcli.errors import InputError
from distilcli.gold.columns import Columns
from distilcli.rows.reader import open_rows
from distilcli.training.datasets.base import DatasetOptions
from distilcli.training.datasets.multilabel import read_dataset


def read(path: Path, content: str, **settings: Any) -> Any:
    path.write_text(content, encoding="utf-8")
    valid = settings.pop("valid", path)
    columns = Columns(label_separator=settings.pop("separator", None))
    options = DatasetOptions(columns=columns, **{"share": 0.5, **settings})
    return read_dataset(open_rows([str(path)]), valid and open_rows([str(valid)]), options)


def test_a_cell_with_a_sign_between_labels(tmp_path: Path) -> None:
    content = 'text,labels\nx,"b , a"\ny,\nz,"a,a,,c"\nu,"[""b"", ""a""]"\n'
    train, valid = read(tmp_path / "a.csv", content)
    assert train == valid
    assert (train.texts, train.label_names) == (["x", "y", "z", "u"], ("a", "b", "c"))
    assert train.labels == [(0, 1), (), (0, 2), (0, 1)]


def test_another_sign(tmp_path: Path) -> None:
    train, _ = read(tmp_path / "a.csv", 'text,label\nx,"a|b,c"\n', separator="|")
    assert train.label_names == ("a", "b,c")


def test_a_list_of_labels(tmp_path: Path) -> None:
    lines = [{"text": "x", "labels": ["b|c", "a", "a"]}, {"text": "y", "labels": []}, {"text": "z"}]
    train, _ = read(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in lines))
    assert train.label_names == ("a", "b|c")
    assert train.labels == [(0, 1), (), ()]


def test_the_order_of_a_models_labels_is_kept(tmp_path: Path) -> None:
    content = 'text,label\nx,"a,b"\n'
    assert read(tmp_path / "a.csv", content, known=("b", "a"))[0].label_names == ("b", "a")
    assert read(tmp_path / "a.csv", content, known=("b", "c"))[0].label_names == ("a", "b")


def test_a_share_is_set_aside_with_the_labels_of_all(tmp_path: Path) -> None:
    content = "text,label\n" + "".join(f"t{n},l{n}\n" for n in range(10))
    train, valid = read(tmp_path / "a.csv", content, share=0.3, valid=None)
    assert (len(train.texts), len(valid.texts)) == (7, 3)
    assert train.label_names == valid.label_names
    assert len(train.label_names) == 10


def test_another_label_in_each_row_is_doubted(tmp_path: Path) -> None:
    content = "text,label\n" + "".join(f"t{n},l{n}\n" for n in range(11))
    with pytest.raises(InputError, match="'label' has 11 values in 11 rows: is it the label"):
        read(tmp_path / "a.csv", content)
    assert len(read(tmp_path / "a.csv", content + 't,"l1,l2"\n')[0].label_names) == 11


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "text,label\nx,\ny,\n", "no row has a label; there is nothing to learn"),
        ("a.csv", "text,label\n", "has no rows to learn from"),
        (
            "a.jsonl",
            '{"text": "x", "label": [["a"]]}\n',
            "'label': not a list of labels",
        ),
        (
            "a.jsonl",
            '{"text": "x", "label": {"a": 1}}\n',
            "'label': not a list of labels",
        ),
    ],
)
def test_rows_that_cannot_be_learned_are_named(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / name, content)
    assert type(caught.value) is InputError


def test_a_label_that_only_the_validation_rows_have(tmp_path: Path) -> None:
    valid = tmp_path / "v.csv"
    valid.write_text('text,label\nx,"a,odd"\n')
    with pytest.raises(InputError, match=r"v.csv: has the label 'odd'"):
        read(tmp_path / "a.csv", "text,label\nx,a\n", valid=valid)
