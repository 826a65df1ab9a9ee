from pathlib import Path

import pytest

from distilcli.errors import DataWarning, InputError
from distilcli.gold.labels import LabelError
from distilcli.gold.tags import usual_tags, without_iob1
from distilcli.rows.reader import RowSource, open_rows


@pytest.fixture
def source(tmp_path: Path) -> RowSource:
    path = tmp_path / "a.conll"
    path.write_text("a NN O\nb NN O\n")
    return open_rows([str(path)])


def usual(source: RowSource, *rows: str, names: tuple[str, ...] = ()) -> list[list[str]]:
    tags = [row.split() for row in rows]
    return usual_tags(tags, names=names, source=source, columns=("tokens", "column_3"))


def test_tags_that_are_numbers_need_names(source: RowSource) -> None:
    with pytest.warns(DataWarning, match="tags are numbers: 0 is read as O, 1 is read as B-X, 2 "):
        found = usual(source, "1 0", "2", names=("O", "B-X", "I-X"))
    assert found == [["B-X", "O"], ["I-X"]]
    with pytest.raises(LabelError, match="'column_3': the tags are numbers; name them in order"):
        usual(source, "1 0", "2")
    with pytest.raises(InputError, match="'3' is neither one of the `labels`"):
        usual(source, "1 3", names=("O", "B-X", "I-X"))


@pytest.mark.parametrize("tag", ["0", "-X-"])
def test_one_tag_for_all_words_is_no_tag(source: RowSource, tag: str) -> None:
    with pytest.raises(LabelError, match=rf"every word has the label '{tag}'; name another .*col"):
        usual(source, f"{tag} {tag}", tag)
    assert usual(source, "O O") == [["O", "O"]]
    assert usual(source, "B-X B-X", names=("O", "B-X")) == [["B-X", "B-X"]]


def test_another_spelling_is_told(source: RowSource) -> None:
    with pytest.warns(DataWarning, match=r"a\.conll, .* 'PER-B' is read as 'B-PER'"):
        assert usual(source, "PER-B PER-I O") == [["B-PER", "I-PER", "O"]]


def test_no_label_that_is_outside_is_told(source: RowSource) -> None:
    with pytest.warns(DataWarning, match="no label is outside .* most frequent is 'x'"):
        usual(source, "x " * 15 + "PER " * 10)
    with pytest.warns(DataWarning, match="no label is outside"):
        usual(source, "B-PER I-PER " * 10)
    usual(source, "NN VB DT " * 10)  # these are no entities
    usual(source, "B-PER O O " * 10)


def test_iob1_is_told_and_read_as_bio2_in_all_files() -> None:
    train = [["I-X", "I-X", "B-X", "O", "I-Y"], ["O", "I-X"]]
    alone = [["O", "I-X", "I-X"]]  # nothing touches
    with pytest.warns(DataWarning, match=r"train\.conll: the tags are in IOB1"):
        found = without_iob1(("train.conll", train), ("valid.conll", alone))
    assert found == [
        [["B-X", "I-X", "B-X", "O", "B-Y"], ["O", "B-X"]],
        [["O", "B-X", "I-X"]],
    ]
    bio2 = [["B-X", "I-X", "O"]]
    with pytest.warns(DataWarning, match="IOB1"):
        assert without_iob1(("train.conll", train), ("b", bio2))[1] == bio2
    assert without_iob1(("a", bio2), ("b", alone)) == [bio2, alone]
