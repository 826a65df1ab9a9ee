from collections.abc import Sequence

import numpy as np
import pytest

from distilcli.cleaning.cleaner import Cleaner, Suspect, SuspectColumns
from distilcli.errors import InputError
from distilcli.gold.cells import label_of
from distilcli.rows.outcome import Outcome
from distilcli.rows.row import Row

Vectors = list[list[float]]


def outcomes(labels: Sequence[str], vectors: Vectors) -> list[Outcome[Row, np.ndarray]]:
    return [
        Outcome(Row(("label",), [label], "a.csv", line), value=np.array(vector, np.float32))
        for line, (label, vector) in enumerate(zip(labels, vectors, strict=True), 2)
    ]


def groups(size: int = 10) -> tuple[list[str], Vectors]:
    draw = np.random.default_rng(1)
    labels = ["cat", "dog"] * size
    vectors = np.eye(4)[[0, 1] * size] + draw.normal(0, 0.2, (2 * size, 4))
    return labels, vectors.tolist()


def suspects_of(
    labels: Sequence[str], vectors: Vectors, **settings: object
) -> list[Outcome[Row, Suspect]]:
    cleaner = Cleaner(label_of("label"), threshold=0.999, **settings)  # type: ignore[arg-type]
    (block,) = cleaner.suspects(iter([outcomes(labels, vectors)]))
    return block


def test_clean_rows_are_not_suspect() -> None:
    assert suspects_of(*groups()) == []


def test_a_wrong_label() -> None:
    labels, vectors = groups()
    labels[4] = "dog"
    (found,) = suspects_of(labels, vectors)
    assert found.item.line == 6
    assert found.value is not None
    assert (found.value.suggested, found.value.reasons) == ("cat", ("label",))
    assert found.value.suspicion > 0.3


def test_one_text_with_two_labels() -> None:
    labels, vectors = groups()
    found = suspects_of([*labels, "cat", "dog"], [*vectors, [1, 0, 0, 3], [1, 0, 0, 3]])
    twin = next(each for each in found if each.item.line == 23)
    assert twin.value is not None
    assert twin.value.suggested == "cat"
    assert "duplicate" in twin.value.reasons
    assert twin.value.near == ("a.csv: line 22",)
    assert twin.value.suspicion >= 0.5


def test_a_text_of_a_test_file() -> None:
    labels, vectors = groups()
    tested = np.array([[0, 0, 1, 0], vectors[3]], np.float32)
    (found,) = suspects_of(labels, vectors, tested=tested, places=["t: line 1", "t: line 2"])
    assert found.item.line == 5
    assert found.value is not None
    assert (found.value.reasons, found.value.near) == (("leak",), ("t: line 2",))
    assert SuspectColumns().values(found.value) == [None, 1.0, "leak", "t: line 2"]


def test_rows_of_no_use_come_last() -> None:
    labels, vectors = groups()
    labels[0], labels[4] = "", "dog"
    found = suspects_of(labels, vectors)
    assert [each.item.line for each in found] == [6, 2]
    assert found[1].error is not None


@pytest.mark.parametrize("labels", [["cat"] * 4, [""] * 4])
def test_too_few_labels(labels: list[str]) -> None:
    with pytest.raises(InputError, match="give rows with at least two"):
        suspects_of(labels, [[1, 0], [0, 1], [1, 1], [1, 2]])
