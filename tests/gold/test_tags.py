import warnings
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


def usual(
    source: RowSource, *rows: str, names: tuple[str, ...] = (), known: tuple[str, ...] = ()
) -> list[list[str]]:
    tags = [row.split() for row in rows]
    columns = ("tokens", "column_3")
    return usual_tags(tags, names=names, source=source, columns=columns, known=known)


def test_tags_that_are_numbers_need_names(source: RowSource) -> None:
    assert usual(source, "1 0", "2", names=("O", "B-X", "I-X")) == [["B-X", "O"], ["I-X"]]
    assert usual(source, "1 0", names=("none", "X-B", "X-I")) == [["B-X", "O"]]
    with pytest.raises(LabelError, match="'column_3': the tags are numbers; name them in order"):
        usual(source, "1 0", "2")
    with pytest.raises(InputError, match="'3' is neither one of the `labels`"):
        usual(source, "1 3", names=("O", "B-X", "I-X"))


def test_numbers_in_the_order_of_the_model_are_told(source: RowSource) -> None:
    with pytest.warns(DataWarning, match=r"order of the model's labels \(0 is O, 1 is B-X, 2 is"):
        found = usual(source, "1 0", "2", known=("O", "B-X", "I-X"))
    assert found == [["B-X", "O"], ["I-X"]]
    with pytest.raises(InputError, match="'3' is neither"):
        usual(source, "1 3", known=("O", "B-X", "I-X"))


def test_tags_that_are_not_among_those_named(source: RowSource) -> None:
    assert usual(source, "O B-X", names=("O", "B-X", "B-Y")) == [["O", "B-X"]]
    with pytest.raises(InputError, match="'B-Z' is neither one of the `labels`"):
        usual(source, "O B-Z", names=("O", "B-X", "B-Y"))


@pytest.mark.parametrize("tag", ["0", "-X-"])
def test_one_tag_for_all_words_is_no_tag(source: RowSource, tag: str) -> None:
    with pytest.raises(LabelError, match=rf"every word has the label '{tag}'; name another .*col"):
        usual(source, f"{tag} {tag}", tag)
    assert usual(source, "O O") == [["O", "O"]]
    assert usual(source, "B-X B-X", names=("O", "B-X")) == [["B-X", "B-X"]]


def test_another_spelling_is_told(source: RowSource) -> None:
    with pytest.warns(DataWarning, match=r"a\.conll, .* 'PER-B' is read as 'B-PER'"):
        assert usual(source, "PER-B PER-I O") == [["B-PER", "I-PER", "O"]]


@pytest.mark.parametrize("row", ["x PER", "x x x LOC PER", "B-PER I-PER", "I I B"])
def test_no_label_that_is_outside_is_told(source: RowSource, row: str) -> None:
    with pytest.warns(DataWarning, match=f"no word has the label O .* frequent label is '{row[0]}"):
        usual(source, row)
    usual(source, "B-PER I-PER", names=("O", "B-PER", "I-PER"))  # what is outside is known


@pytest.mark.parametrize(
    "row", ["NN VB DT", "NOUN _ X", "PRP$ '' -LRB- #", "N V A", "B-PER O", "o X"]
)
def test_parts_of_speech_are_no_entities(source: RowSource, row: str) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        usual(source, row)
    assert not any("outside" in str(one.message) for one in told)


@pytest.mark.parametrize(
    ("row", "odd"),
    [
        ("B-PER PER-I O", "PER-I"),
        ("I-LOC B-PER LOC O", "LOC"),
        ("PER-B PER-I LOC O", "PER-B"),
    ],
)
def test_a_label_that_is_spelled_unlike_others_is_told(
    source: RowSource, row: str, odd: str
) -> None:
    with pytest.warns(DataWarning, match=f"'{odd}' is taken as it stands"):
        assert usual(source, row) == [row.split()]


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
