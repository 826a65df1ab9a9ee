from pathlib import Path

import pytest

from distilcli.errors import DataWarning, InputError, UsageError
from distilcli.rows.reader import open_rows
from distilcli.training.datasets.base import DatasetOptions
from distilcli.training.datasets.mlm import PlainTexts, read_dataset


def test_lines_and_columns_without_the_empty_ones(tmp_path: Path) -> None:
    lines, table = tmp_path / "a.txt", tmp_path / "b.csv"
    lines.write_text("one, two\n\n  \nthree\n\u200b\n")
    table.write_text("id,text\n1,four\n2,\n")
    with pytest.warns(DataWarning) as told:
        train, valid = read_dataset(
            open_rows([str(lines)]), open_rows([str(table)]), DatasetOptions()
        )
    assert train == PlainTexts(["one, two", "three"])
    assert train.places == [(str(lines), 1), (str(lines), 4)]
    assert valid == PlainTexts(["four"])
    assert [str(one.message).partition(": ")[2] for one in told] == [
        "3 rows left out with an empty text, the first in line 2",
        "1 row left out with an empty text, the first in line 3",
    ]


def test_empty_texts_cannot_be_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one\n\n")
    with pytest.raises(UsageError, match="`keep_empty` has no effect here: an empty text has no"):
        read_dataset(open_rows([str(path)]), None, DatasetOptions(keep_empty=True))


@pytest.mark.filterwarnings("ignore:.* left out")
def test_a_share_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("".join(f"{n}\n\n" for n in range(10)))
    train, valid = read_dataset(open_rows([str(path)]), None, DatasetOptions(share=0.2))
    assert (len(train.texts), len(valid.texts)) == (8, 2)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "\n\n", "every row has an empty text; is it in 'text'"),
        ("a.txt", "one\n", "1 row is too few"),
        ("a.csv", "id,text\n1\n", "line 2: 1 cell where the header has 2"),
        ("a.jsonl", '{"text": "a"}\n{"text": [1]}\n', "line 2: the value at 'text' is a list"),
    ],
)
def test_rows_that_cannot_be_learned_are_named(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        read_dataset(open_rows([str(tmp_path / name)]), None, DatasetOptions(share=0.5))
    assert type(caught.value) is InputError
