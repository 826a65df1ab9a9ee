from pathlib import Path
from typing import Any

import pytest

from distilcli.errors import InputError
from distilcli.gold.columns import Columns
from distilcli.gold.labels import LabelError
from distilcli.rows.reader import open_rows
from distilcli.training.datasets.base import DatasetOptions
from distilcli.training.datasets.classify import UNLABELLED, Examples, read_dataset


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def read(path: str, valid: str | None = None, **given: Any) -> Any:
    """Read training rows and validation rows; without `valid` those are the same."""
    columns = Columns(
        **{name: given.pop(name) for name in list(given) if "column" in name or name == "labels"}
    )
    options = DatasetOptions(columns=columns, **given)
    return read_dataset(open_rows([path]), open_rows([valid or path]), options)


def rows_with(labels: list[str]) -> str:
    return "text,label\n" + "".join(f"t{n},{label}\n" for n, label in enumerate(labels))


def names_of(examples: Examples[int]) -> list[str]:
    return [examples.label_names[index] for index in examples.labels]


def test_texts_and_labels_are_read_as_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,Label,text\n1,007,NA\n2,1e5,\n")
    found, _ = read(path, keep_empty=True)
    assert (found.texts, names_of(found)) == (["NA", ""], ["007", "1e5"])
    assert (found.pairs, found.places) == (None, [(path, 2), (path, 3)])


def test_blanks_around_a_label_do_not_count(tmp_path: Path) -> None:
    found, _ = read(write(tmp_path / "a.csv", "text,label\nx, yes\ny,yes \nz,no\n"))
    assert names_of(found) == ["yes", "yes", "no"]


def test_columns_are_found_by_name_or_by_path(tmp_path: Path) -> None:
    lines = [f'{{"text": "a", "other": "b", "meta": {{"stars": {n}}}}}\n' for n in (5, 4)]
    path = write(tmp_path / "a.jsonl", "".join(lines))
    found, _ = read(path, label_column="meta.stars", pair_column="other")
    assert (found.texts, found.pairs, names_of(found)) == (["a", "a"], ["b", "b"], ["5", "4"])


def test_the_first_usual_label_column_is_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,sentiment,category\nx,no,yes\ny,no,maybe\n")
    assert names_of(read(path)[0]) == ["yes", "maybe"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,label\na,x\nb,\n", "a.csv: line 3, column 'label': no value"),
        ("text,label\na,x\nb,  \n", "line 3, column 'label': no value; every row needs one"),
        ("text,label\na,x,y\n", "line 2: 3 cells where the header has 2"),
        ("text,label\n", "has no rows to learn from"),
        ("text,mood\na,x\n", "a.csv: no label column beside 'text'; name it with `label_column`"),
        ("text,label\na,x\nb,x\n", "a.csv: every row has the label 'x'; a classifier needs"),
    ],
)
def test_rows_that_cannot_be_learned_are_named(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(write(tmp_path / "a.csv", content))
    assert type(caught.value) in {InputError, LabelError}
    assert "\n" not in str(caught.value)


def test_a_missing_value_is_an_error_of_the_input(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": "a", "label": "x"}\n{"text": "b"}\n')
    with pytest.raises(InputError, match="line 2, column 'label': no value") as caught:
        read(path)
    assert type(caught.value) in {InputError, LabelError}


def test_conll_is_for_another_task(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"CoNLL has a label for each word; give `task` tag$"):
        read(write(tmp_path / "a.conll", "EU B-ORG\nis O\n"))


def test_a_column_with_another_value_in_each_row_is_doubted(tmp_path: Path) -> None:
    rows = "".join(f"{n},text {n}\n" for n in range(1_503))
    path = write(tmp_path / "a.csv", "id,text\n" + rows)
    with pytest.raises(InputError, match=r"'id' has 1,503 values in 1,503 rows: is it the label\?"):
        read(path, label_column="id")
    few = write(tmp_path / "b.csv", rows_with(list("abcdef")))
    assert read(few)[0].label_names == tuple("abcdef")


@pytest.mark.parametrize(
    ("labels", "known", "expected"),
    [
        (["b", "a", "b"], (), ("a", "b")),
        (["b", "a"], ("b", "a"), ("b", "a")),
        (["b", "a"], ("b", "a", "c"), ("a", "b")),
        (["10", "9", "-1"], (), ("-1", "9", "10")),
        (["10", "9", "x"], (), ("10", "9", "x")),
        (["7", "07", "007"], (), ("007", "07", "7")),
        (["--5", "-", "1"], (), ("-", "--5", "1")),
    ],
)
def test_labels_are_ordered(
    tmp_path: Path, labels: list[str], known: tuple[str, ...], expected: Any
) -> None:
    found, _ = read(write(tmp_path / "a.csv", rows_with(labels)), known=known)
    assert found.label_names == expected
    assert names_of(found) == labels


def test_a_label_that_is_new_in_validation_is_named(tmp_path: Path) -> None:
    train = write(tmp_path / "a.csv", rows_with(["a", "b"]))
    with pytest.raises(InputError, match=r"v.csv: has the label 'z', .*\(theirs: a, b\)"):
        read(train, write(tmp_path / "v.csv", rows_with(["a", "z"])))


def test_a_share_of_every_label_is_set_aside(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", rows_with(["a", "a", "b"] * 10))
    options = DatasetOptions(share=0.2)
    train, valid = read_dataset(open_rows([path]), None, options)
    assert sorted(names_of(valid)) == ["a"] * 4 + ["b"] * 2
    assert sorted(train.texts + valid.texts) == sorted(f"t{n}" for n in range(30))
    assert (train, valid) == read_dataset(open_rows([path]), None, options)


def test_too_few_rows_to_split_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", rows_with(["a", "b"]))
    with pytest.raises(InputError, match=r"2 rows are too few to set 10% of each label aside"):
        read_dataset(open_rows([path]), None, DatasetOptions())


@pytest.mark.parametrize(("labels", "each", "aside"), [(20, 5, 10), (1_500, 2, 300), (2, 2, 1)])
def test_few_rows_of_each_label_give_a_share_of_all(
    tmp_path: Path, labels: int, each: int, aside: int
) -> None:
    path = write(tmp_path / "a.csv", rows_with([f"l{n}" for n in range(labels)] * each))
    train, valid = read_dataset(open_rows([path]), None, DatasetOptions())
    assert (len(train.texts), len(valid.texts)) == (labels * each - aside, aside)
    assert len(train.label_names) == labels
    assert len(set(valid.labels)) == aside  # of a label, one row at most
    assert set(train.labels) == set(range(labels))


TAUGHT: dict[str, Any] = {"share": 0.5, "known": ("yes", "no", "perhaps"), "taught": True}


def taught(
    tmp_path: Path, train: str, valid: str | None, name: str = "t.csv", **options: Any
) -> Any:
    """Read training rows for a model that has a teacher."""
    paths = [write(tmp_path / name, train)]
    sources = [
        open_rows(paths),
        None if valid is None else open_rows([write(tmp_path / "v.csv", valid)]),
    ]
    columns = Columns(label_column=options.pop("label_column", None))
    return read_dataset(*sources, DatasetOptions(columns=columns, **{**TAUGHT, **options}))


def test_a_teacher_gives_the_labels_and_its_rows_may_have_none(tmp_path: Path) -> None:
    first, second = taught(tmp_path, "text,label\na,no\nb,\nc,  \nd,yes\n", "text,label\ne,no\n")
    assert first.labels == [1, UNLABELLED, UNLABELLED, 0]
    assert (second.labels, second.label_names) == ([1], ("yes", "no", "perhaps"))
    with pytest.raises(InputError, match=r"v.csv: line 2, column 'label': no value"):
        taught(tmp_path, "text,label\na,no\n", "text,label\ne,\n")


def test_only_labelled_rows_are_set_aside(tmp_path: Path) -> None:
    rows = "".join(f"r{n},{label}\n" for n, label in enumerate(["no", "", "yes", ""] * 8))
    first, second = taught(tmp_path, "text,label\n" + rows, None)
    assert (first.labels.count(UNLABELLED), len(first.labels)) == (16, 24)
    assert sorted(second.labels) == [0] * 4 + [1] * 4
    assert sorted(first.texts + second.texts) == sorted(f"r{n}" for n in range(32))


def test_rows_without_a_label_column_are_unlabelled(tmp_path: Path) -> None:
    valid = "text,label\ne,no\n"
    assert taught(tmp_path, "text\na\nb\n", valid)[0].labels == [UNLABELLED] * 2
    assert taught(tmp_path, "a\nb\n", valid, name="t.txt")[0].labels == [UNLABELLED] * 2
    named = taught(tmp_path, "text\na\n", "text,mood\ne,no\n", label_column="mood")
    assert [part.labels for part in named] == [[UNLABELLED], [1]]
    with pytest.raises(InputError, match="no row has a label to validate on; give a `valid` file"):
        taught(tmp_path, "text\na\nb\n", None)


def test_a_missing_or_null_label_is_none(tmp_path: Path) -> None:
    lines = '{"text": "a"}\n{"text": "b", "label": null}\n{"text": "c", "label": "no"}\n'
    first, _ = taught(tmp_path, lines, "text,label\ne,no\n", name="t.jsonl")
    assert first.labels == [UNLABELLED, UNLABELLED, 1]


@pytest.mark.parametrize(
    ("label", "hint"), [("perhasp", "; did you mean 'perhaps'?"), ("zebra", "")]
)
def test_a_label_that_the_teacher_does_not_know_is_named(
    tmp_path: Path, label: str, hint: str
) -> None:
    good, bad = "text,label\na,no\n", f"text,label\na,{label}\n"
    for files in ((bad, good), (good, bad)):
        with pytest.raises(InputError) as caught:
            taught(tmp_path, *files)
        assert str(caught.value).endswith(
            f".csv: has the label {label!r}, which the teacher does not have{hint} "
            "(its: yes, no, perhaps)"
        )


def test_the_labels_of_a_teacher_that_has_none_are_those_of_the_rows(tmp_path: Path) -> None:
    first, _ = taught(tmp_path, "text,label\na,x\nb,\nc,y\n", "text,label\ne,x\n", known=())
    assert (first.labels, first.label_names) == ([0, UNLABELLED, 1], ("x", "y"))
    with pytest.raises(InputError, match="every row has the label ''"):
        taught(tmp_path, "text\na\n", "text,label\ne,x\n", known=())


def test_labels_that_are_named_are_all_kept_in_order(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", rows_with(["2", "0", "bad"]))
    found, _ = read(path, labels=("bad", "fair", "Good"))
    assert found.label_names == ("bad", "fair", "Good")
    assert found.labels == [2, 0, 0]
    known = ("Good", "fair", "bad")
    assert read(path, labels=("bad", "fair", "Good"), known=known)[0].label_names == known


def test_another_value_in_each_of_few_rows_that_would_be_split(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", rows_with(list("abcd")))
    with pytest.raises(InputError, match="'label' has 4 values in 4 rows: is it the label"):
        read_dataset(open_rows([path]), None, DatasetOptions())
    assert read(path)[0].label_names == ("a", "b", "c", "d")
