from pathlib import Path

import pytest

from distilcli.errors import InputError
from distilcli.rows.reader import open_rows
from distilcli.training.datasets.base import DatasetOptions
from distilcli.training.datasets.mlm import read_dataset


def test_lines_and_columns_with_the_empty_ones(tmp_path: Path) -> None:
    lines, table = tmp_path / "a.txt", tmp_path / "b.csv"
    lines.write_text("one, two\n\n  \nthree\n")
    table.write_text("id,text\n1,four\n2,\n")
    train, valid = read_dataset(open_rows([str(lines)]), open_rows([str(table)]), DatasetOptions())
    assert train.texts == ["one, two", "", "  ", "three"]
    assert train.used == ["one, two", "three"]
    assert train.places == [(str(lines), line) for line in (1, 2, 3, 4)]
    assert (valid.texts, valid.used) == (["four", ""], ["four"])


def test_a_share_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("".join(f"{n}\n\n" for n in range(10)))
    train, valid = read_dataset(open_rows([str(path)]), None, DatasetOptions(share=0.2))
    assert (len(train.used), len(valid.used), len(valid.texts)) == (8, 2, 2)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "\n\n", "has no texts to learn from"),
        ("a.txt", "one\n", "1 row is too few"),
        ("a.csv", "id,text\n1\n", "line 2: 1 cell where the header has 2"),
        ("a.jsonl", '{"text": "a"}\n{"other": 1}\n', "line 2: no value at 'text'"),
    ],
)
def test_rows_that_cannot_be_learned_are_named(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        read_dataset(open_rows([str(tmp_path / name)]), None, DatasetOptions(share=0.5))
    assert type(caught.value) is InputError
