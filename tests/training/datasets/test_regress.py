from pathlib import Path
from typing import Any

import pytest

from distilcli.errors import InputError
from distilcli.gold.columns import Columns
from distilcli.rows.reader import open_rows
from distilcli.training.datasets.base import DatasetOptions
from distilcli.training.datasets.classify import Examples
from distilcli.training.datasets.regress import read_dataset


def read(path: Path, content: str, *, valid: Path | None = None, **settings: Any) -> Any:
    path.write_text(content, encoding="utf-8")
    columns = Columns(pair_column=settings.pop("pair_column", None))
    options = DatasetOptions(columns=columns, **{"share": 0.5, **settings})
    return read_dataset(open_rows([str(path)]), valid and open_rows([str(valid)]), options)


def test_numbers_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label,other\nx,-1.5,u\ny,2e3,v\n")
    train, valid = read(path, path.read_text(), valid=path, pair_column="other")
    assert train == valid == Examples(["x", "y"], ["u", "v"], [-1.5, 2000.0], ())


def test_a_share_is_set_aside(tmp_path: Path) -> None:
    content = "text,label\n" + "".join(f"t{n},{n}\n" for n in range(10))
    train, valid = read(tmp_path / "a.csv", content, share=0.3)
    assert (len(train.texts), len(valid.texts)) == (7, 3)
    assert sorted(train.labels + valid.labels) == list(range(10))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,label\nx,1\ny,good\n", "line 3, column 'label': 'good' is not a number"),
        ("text,label\nx,\n", "line 2, column 'label': no value; every row needs one"),
        ("text,label\nx,nan\n", "line 2, column 'label': no value; every row needs one"),
        ("text,label\nx,1\ny,1\nz,1\nu,1\n", "every row has the number 1, among 2 rows"),
        ("text,label\nx,1\n", "1 row is too few to set 50% aside"),
        ("text,label\nx,1\ny,2\n", "every row has the number"),
        ("text,grade\nx,1\n", "a.csv: no label column beside 'text'; name it with `label_column`"),
    ],
)
def test_rows_that_cannot_be_learned_are_named(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / "a.csv", content)
    assert type(caught.value) is InputError
