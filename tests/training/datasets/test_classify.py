from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.errors import InputError
from distilcli.rows.reader import open_rows
from distilcli.training.datasets.classify import (
    UNLABELLED,
    as_examples,
    label_names,
    read_examples,
    read_frame,
    split,
)


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def frame_of(labels: list[str]) -> pd.DataFrame:
    texts = [f"t{n}" for n in range(len(labels))]
    return pd.DataFrame({"text": texts, "label": labels, "place": [("f", 1)] * len(labels)})


def read(path: str, **columns: Any) -> pd.DataFrame:
    return read_frame(open_rows([path]), **{"label_column": None, "pair_column": None, **columns})


def test_texts_and_labels_are_read_as_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,Label,text\n1,007,NA\n2,1e5,\n")
    assert read(path).to_dict("list") == {
        "text": ["NA", ""],
        "label": ["007", "1e5"],
        "place": [(path, 2), (path, 3)],
    }


def test_blanks_around_a_label_are_none_of_it(tmp_path: Path) -> None:
    frame = read(write(tmp_path / "a.csv", "text,label\nx, yes\ny,yes \nz,no\n"))
    assert frame["label"].tolist() == ["yes", "yes", "no"]


def test_columns_are_found_by_name_or_by_path(tmp_path: Path) -> None:
    line = '{"text": "a", "other": "b", "meta": {"stars": 5}}\n'
    frame = read(write(tmp_path / "a.jsonl", line), label_column="meta.stars", pair_column="other")
    cells = frame.drop(columns="place").to_dict("list")
    assert cells == {"text": ["a"], "label": ["5"], "pair": ["b"]}


def test_the_first_usual_label_column_is_taken(tmp_path: Path) -> None:
    frame = read(write(tmp_path / "a.csv", "text,sentiment,category\nx,no,yes\n"))
    assert frame["label"].tolist() == ["yes"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,label\na,x\nb,\n", "a.csv: line 3, column 'label': the label is empty"),
        ("text,label\na,x\nb,  \n", "line 3, column 'label': the label is empty"),
        ("text,label\na,x,y\n", "line 2: 3 cells where the header has 2"),
        ("text,label\n", "has no rows to learn from"),
        ("text,mood\na,x\n", "no label column found in .*a.csv; name it with --label-column"),
    ],
)
def test_rows_that_cannot_be_learned_are_named(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(write(tmp_path / "a.csv", content))
    assert "\n" not in str(caught.value)


def test_a_missing_value_is_an_error_of_the_input(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": "a", "label": "x"}\n{"text": "b"}\n')
    with pytest.raises(InputError, match="line 2: no value at 'label'") as caught:
        read(path)
    assert type(caught.value) is InputError


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
def test_labels_are_ordered(labels: list[str], known: tuple[str, ...], expected: Any) -> None:
    assert label_names(frame_of(labels), known=known) == expected


def test_one_label_cannot_be_learned() -> None:
    with pytest.raises(InputError, match="every row has the label 'x'"):
        label_names(frame_of(["x", "x"]))


def test_labels_become_numbers_in_their_order() -> None:
    frame = frame_of(["b", "a", "b"]).assign(pair=["p", "q", "r"])
    found = as_examples(frame, ("a", "b"), source="f")
    assert (found.texts, found.pairs) == (["t0", "t1", "t2"], ["p", "q", "r"])
    assert (found.labels, found.label_names) == ([1, 0, 1], ("a", "b"))
    assert as_examples(frame_of(["a"]), ("a",), source="f").pairs is None


def test_a_label_that_is_new_in_validation_is_named() -> None:
    with pytest.raises(InputError, match=r"^v.csv: has the label 'z', .*\(theirs: a, b\)"):
        as_examples(frame_of(["a", "z"]), ("a", "b"), source="v.csv")


@given(
    st.lists(st.sampled_from("aab"), min_size=20, max_size=80).filter(
        lambda labels: min(labels.count("a"), labels.count("b")) >= 5
    ),
    st.integers(0, 5),
)
def test_a_split_takes_its_share_of_every_label(labels: list[str], seed: int) -> None:
    frame = frame_of(labels)
    train, valid = split(frame, share=0.2, seed=seed)
    assert sorted([*train["text"], *valid["text"]]) == sorted(frame["text"])
    for part in (train, valid):
        assert part.index.is_monotonic_increasing
    for label in "ab":
        expected = labels.count(label) * 0.2
        assert abs((valid["label"] == label).sum() - expected) <= 0.5
    again = split(frame, share=0.2, seed=seed)
    assert valid.equals(again[1])


def test_another_seed_sets_other_rows_aside() -> None:
    frame = frame_of(["a", "b"] * 50)
    assert not split(frame, share=0.2, seed=0)[1].equals(split(frame, share=0.2, seed=1)[1])


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_too_few_rows_to_split_are_refused(share: float) -> None:
    with pytest.raises(InputError, match=r"4 rows are too few .* give a validation file"):
        split(frame_of(["a", "a", "b", "b"]), share=share, seed=0)


def test_files_become_examples(tmp_path: Path) -> None:
    train = write(tmp_path / "t.csv", "text,label\na,no\nb,yes\nc,no\n")
    valid = write(tmp_path / "v.csv", "label,text\nyes,d\n")
    options: dict[str, Any] = {
        "label_column": None, "pair_column": None, "share": 0.4, "seed": 0, "known": ("yes", "no"),
    }  # fmt: skip
    first, second = read_examples(open_rows([train]), open_rows([valid]), **options)
    assert (first.texts, first.labels) == (["a", "b", "c"], [1, 0, 1])
    assert (second.texts, second.labels) == (["d"], [0])
    first, second = read_examples(open_rows([train]), None, **options)
    assert sorted(first.texts + second.texts) == ["a", "b", "c"]
    assert second.texts


TAUGHT: dict[str, Any] = {
    "label_column": None, "pair_column": None, "share": 0.5, "seed": 0,
    "known": ("yes", "no", "perhaps"), "taught": True,
}  # fmt: skip


def taught(
    tmp_path: Path, train: str, valid: str | None, name: str = "t.csv", **options: Any
) -> Any:
    """Read rows of a lesson that has a teacher."""
    paths = [write(tmp_path / name, train)]
    sources = [
        open_rows(paths),
        None if valid is None else open_rows([write(tmp_path / "v.csv", valid)]),
    ]
    return read_examples(*sources, **{**TAUGHT, **options})


def test_a_teacher_gives_the_labels_and_its_rows_may_have_none(tmp_path: Path) -> None:
    first, second = taught(tmp_path, "text,label\na,no\nb,\nc,  \nd,yes\n", "text,label\ne,no\n")
    assert first.labels == [1, UNLABELLED, UNLABELLED, 0]
    assert (second.labels, second.label_names) == ([1], ("yes", "no", "perhaps"))
    with pytest.raises(InputError, match=r"v.csv: line 2, column 'label': the label is empty"):
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
    with pytest.raises(InputError, match=r"no row has a label to validate on; give .* --valid"):
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
