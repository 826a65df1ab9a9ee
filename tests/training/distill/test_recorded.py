"""What a teacher said, from files."""

from pathlib import Path

import numpy as np
import pytest
import torch

from distilcli.errors import InputError
from distilcli.gold.columns import Columns
from distilcli.rows.reader import open_rows
from distilcli.training.data_checks import CheckedRows
from distilcli.training.distill.recorded import RecordedOutputs, read_scores, read_vectors
from distilcli.training.distill.teacher import RecordedTeacher

TEXTS = ("a good film", "a bad film", "a good film", "so so")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.csv").write_text("text,label\n" + "".join(f"{text},x\n" for text in TEXTS))


def read(scores: str, *, task: str = "classify", name: str = "scores.csv") -> RecordedOutputs:
    """Read scores, and let the training rows pass by."""
    Path(name).write_text(scores)
    source = open_rows(["train.csv"])
    found = read_scores(name, source, task, Columns())
    assert len(list(source)) == len(TEXTS)
    return found


def checked(*texts: str) -> CheckedRows:
    places = [("train.csv", line) for line in range(2, len(texts) + 2)]
    return CheckedRows(name="", texts=list(texts), places=places)


def probabilities(found: RecordedOutputs, *texts: str) -> list[list[float]]:
    """What the teacher says of these texts, as probabilities."""
    rows = found.all_rows_of(checked(*texts), is_limited=False)
    targets = RecordedTeacher(found.values, rows, torch.device("cpu")).targets(
        range(len(rows)), epoch=3
    )
    assert targets.outputs.dtype == torch.float32
    return [[round(p, 4) for p in row] for row in targets.outputs.softmax(-1).tolist()]


def test_the_scores_of_classify_are_matched_by_text() -> None:
    found = read(
        "text,label,predicted_label,predicted_score,predicted_score_yes,predicted_score_no\n"
        "so so,x,yes,0.5,0.5,0.5\na bad film,x,no,0.9,0.1,0.9\na good film,x,yes,0.8,0.8,0.2\n"
    )
    assert found.labels == ("yes", "no")
    assert probabilities(found, *TEXTS) == [[0.8, 0.2], [0.1, 0.9], [0.8, 0.2], [0.5, 0.5]]


def test_any_columns_are_matched_by_row() -> None:
    found = read("yes,no\n.8,.2\n.1,.9\n.7,.3\n.5,.5\n")
    assert found.labels == ("yes", "no")
    # Of two rows with the same text the first counts, whichever are asked for.
    assert probabilities(found, "so so", TEXTS[2]) == [[0.5, 0.5], [0.8, 0.2]]


def test_any_format_is_read() -> None:
    lines = [f'{{"text": "{text}", "score_a": 0.25, "score_b": 0.75}}\n' for text in TEXTS]
    found = read("".join(lines), name="scores.jsonl")
    assert probabilities(found, *TEXTS) == [[0.25, 0.75]] * 4


def test_several_labels_have_a_sigmoid_each() -> None:
    found = read("a,b\n.8,.9\n.1,.0\n.8,.9\n.5,1\n", task="multilabel")
    sigmoids = 1 / (1 + np.exp(-found.values[:, 0]))
    np.testing.assert_allclose(sigmoids, [[0.8, 0.9], [0.1, 0], [0.8, 0.9], [0.5, 1]], atol=1e-5)


def test_pairs_are_matched_by_both_texts() -> None:
    Path("pairs.csv").write_text("text,pair,label\na,b,x\na,c,y\n")
    Path("scores.csv").write_text("pair,text,score_x,score_y\nc,a,0,1\nb,a,1,0\n")
    source = open_rows(["pairs.csv"])
    found = read_scores("scores.csv", source, "classify", Columns(pair_column="pair"))
    pairs = CheckedRows(name="", texts=["a", "a"], pairs=["b", "c"])
    assert found.rows_of(pairs).tolist() == [1, 0]


@pytest.mark.parametrize("rows", [3, 5])
def test_another_number_of_rows_is_refused(rows: int) -> None:
    found = read("yes,no\n" + ".5,.5\n" * rows)
    with pytest.raises(InputError, match=f"has {rows} rows for 4 training rows"):
        found.all_rows_of(checked(*TEXTS), is_limited=False)


def test_the_first_training_rows_need_the_first_scores_alone() -> None:
    found = read("yes,no\n" + ".5,.5\n" * 5)
    assert found.all_rows_of(checked(*TEXTS), is_limited=True).tolist() == [0, 1, 0, 3]


@pytest.mark.parametrize(
    "left_out",
    ["a good film,.5,.5\na bad film,.5,.5\n", "a good film,.5,.5\nso so,,\na bad film,1,0"],
)
def test_a_training_row_without_scores_is_refused(left_out: str) -> None:
    found = read(f"text,score_yes,score_no\n{left_out}")
    with pytest.raises(InputError, match=r"scores.csv: has no numbers .* train.csv, line 5"):
        found.all_rows_of(checked(*TEXTS), is_limited=False)


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        ("yes,no\n1.5,0\n", "line 2, column 'yes': 1.5 is not a probability"),
        ("yes,no\n0.5,-0.1\n", "column 'no': -0.1 is not a probability"),
        ("yes,no\n0.5,high\n", "column 'no': 'high' is not a number"),
        ("yes,no\n0.5,\n", "column 'no': no value"),
        ("text,label,yes\na,b,1\n", "has no columns score_LABEL"),
    ],
)
def test_what_is_no_probability_is_refused(scores: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        read(scores)


def test_columns_are_put_in_the_order_of_the_labels() -> None:
    found = read("yes,no\n" + ".8,.2\n" * 4).in_order(("no", "yes"))
    assert probabilities(found, "so so") == [[0.2, 0.8]]
    with pytest.raises(InputError, match="has no probability of the label 'maybe'"):
        found.in_order(("no", "maybe"))


def test_what_was_said_of_the_training_rows_is_identified() -> None:
    same, other = (read("yes,no\n.8,.2\n.1,.9\n.7,.3\n" + last) for last in (".5,.5\n", ".4,.6\n"))
    assert same.digest(np.array([0, 1])) == other.digest(np.array([0, 1]))
    assert same.digest(np.array([0, 3])) != other.digest(np.array([0, 3]))


def vectors(array: np.ndarray, columns: Columns | None = None) -> RecordedOutputs:
    np.save("vectors.npy", array)
    source = open_rows(["train.csv"])
    found = read_vectors("vectors.npy", source, columns or Columns())
    list(source)
    return found


def test_vectors_are_those_of_the_rows() -> None:
    array = np.arange(12, dtype=np.float16).reshape(4, 3)
    found = vectors(array)
    rows = found.all_rows_of(checked(TEXTS[3], TEXTS[1]), is_limited=False)
    teacher = RecordedTeacher(found.values, rows, torch.device("cpu"))
    assert teacher.targets([0, 1], epoch=0).outputs.tolist() == [[9, 10, 11], [3, 4, 5]]


def test_a_pair_has_two_vectors() -> None:
    found = vectors(np.arange(24.0).reshape(4, 2, 3), Columns(pair_column="label"))
    pairs = CheckedRows(name="", texts=["so so"], pairs=["x"])
    rows = found.all_rows_of(pairs, is_limited=False)
    teacher = RecordedTeacher(found.values, rows, torch.device("cpu"))
    assert teacher.targets([0], epoch=0).outputs.tolist() == [[18, 19, 20], [21, 22, 23]]


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.zeros((4, 2, 3)), r"has the shape \(4, 2, 3\); texts need \(rows, width\)"),
        (np.zeros(4), r"has the shape \(4,\)"),
        (np.zeros((4, 3), int), "is not an array of vectors in floating point"),
    ],
)
def test_other_arrays_are_refused(array: np.ndarray, told: str) -> None:
    with pytest.raises(InputError, match=told):
        vectors(array)


def test_what_is_no_array_is_refused() -> None:
    source = open_rows(["train.csv"])
    with pytest.raises(InputError, match="is not an array of numbers"):
        read_vectors("train.csv", source, Columns())
    with pytest.raises(InputError, match=r"none.npy: cannot be read: No such file"):
        read_vectors("none.npy", source, Columns())


def test_a_vector_that_is_not_finite_is_refused() -> None:
    array = np.zeros((4, 3))
    array[1, 2] = np.nan
    with pytest.raises(InputError, match=r"no numbers for the text in train.csv, line 3"):
        vectors(array).all_rows_of(checked(*TEXTS), is_limited=False)
