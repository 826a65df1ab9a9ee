import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from distilcli.errors import InputError, UsageError
from distilcli.rows.row import NumberText, Row
from distilcli.rows.row_writer import RowWriter
from distilcli.rows.writer import open_writer

parquet = pytest.importorskip("pyarrow.parquet")


def writer(path: Path, columns: tuple[str, ...], new: tuple[str, ...]) -> RowWriter:
    return open_writer(path, columns=columns, new_columns=new, input_format="csv")


def row(columns: tuple[str, ...], *cells: object) -> Row:
    return Row(columns, cells, "in.csv", 2)


def test_cells_are_text_and_new_values_keep_their_type(tmp_path: Path) -> None:
    columns = ("id", "text")
    vector = np.array([0.25, -1], dtype=np.float32)
    with writer(tmp_path / "out.parquet", columns, ("label", "score", "n", "embedding")) as out:
        first = {"label": "good", "score": 0.123456789, "n": 3, "embedding": vector}
        out.write_rows([(row(columns, "007", "NA"), first)])
        failed = dict.fromkeys(first)
        out.write_rows([(row(columns, "", "x"), {**failed, "error": "why"})])
    table = parquet.read_table(tmp_path / "out.parquet")
    assert table.to_pylist() == [
        {
            "id": "007", "text": "NA", "label": "good", "score": 0.123456789, "n": 3,
            "embedding": [0.25, -1.0], "error": None, "truncated": None,
        },
        {
            "id": "", "text": "x", "label": None, "score": None, "n": None, "embedding": None,
            "error": "why", "truncated": None,
        },
    ]  # fmt: skip
    assert str(table.schema.field("embedding").type) == "list<element: float>"


def test_vectors_of_tokens_lists_and_json_cells(tmp_path: Path) -> None:
    columns = ("n", "n")
    with writer(tmp_path / "out.parquet", columns, ("tokens", "embeddings")) as out:
        additions = {"tokens": ["a", "b"], "embeddings": np.eye(2, dtype=np.float16)}
        out.write_rows([(row(columns, NumberText("1e5"), {"deep": [1]}), additions)])
    (found,) = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert found["n"] == "1e5"
    assert found["n_2"] == '{"deep":[1]}'
    assert found["tokens"] == '["a","b"]'
    assert found["embeddings"] == [[1.0, 0.0], [0.0, 1.0]]


def test_no_rows_give_the_columns(tmp_path: Path) -> None:
    with writer(tmp_path / "out.parquet", ("text",), ("label",)):
        pass
    names = parquet.read_schema(tmp_path / "out.parquet").names
    assert names == ["text", "label", "error", "truncated"]


def test_a_column_that_comes_late_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    out = writer(tmp_path / "out.parquet", ("text",), ("label",))
    out.write_rows([(row(("text",), "a"), {"label": "x"})])
    with pytest.raises(InputError, match=r"in\.csv: line 2: has a column 'late'"):
        out.write_rows([(row(("text", "late"), "a", "b"), {"label": "x"})])
    out.abort()
    assert list(tmp_path.iterdir()) == []


def test_a_stream_cannot_take_parquet() -> None:
    with pytest.raises(UsageError, match=r"name an output file, FILE\.parquet"):
        open_writer(
            sys.stdout, columns=(), new_columns=(), input_format="csv", output_format="parquet"
        )


def test_without_the_extra_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'distilcli\[parquet\]'"):
        writer(tmp_path / "out.parquet", ("text",), ())
    assert list(tmp_path.iterdir()) == []


def test_a_command_says_so_before_it_loads_a_model(
    distil: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    line = ("classify", "--text", "a", "-m", "no/model", "-o", tmp_path / "out.parquet")
    code, _, err = distil(*line)
    assert code == 2
    assert err.startswith("distil: error: Parquet needs")


def test_types_wait_for_a_row_that_has_them(tmp_path: Path) -> None:
    vector = np.array([0.5], dtype=np.float32)
    with writer(tmp_path / "out.parquet", ("text",), ("score", "embedding")) as out:
        failed = {"score": None, "embedding": None, "error": "why"}
        out.write_rows([(row(("text",), "a"), failed)] * 2)
        out.write_rows([(row(("text",), "b"), {"score": 0.5, "embedding": vector})])
    table = parquet.read_table(tmp_path / "out.parquet")
    assert table["score"].to_pylist() == [None, None, 0.5]
    assert table["embedding"].to_pylist() == [None, None, [0.5]]
    assert table["error"].to_pylist() == ["why", "why", None]


def test_an_inputs_own_error_column_stays(tmp_path: Path) -> None:
    columns = ("text", "error")
    with writer(tmp_path / "out.parquet", columns, ("label",)) as out:
        out.write_rows([(row(columns, "a", "mine"), {"label": "x"})])
        out.write_rows([(row(columns, "b", "mine too"), {"label": None, "error": "why"})])
    found = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert [each["error"] for each in found] == ["mine", "mine too"]
    assert [each["predicted_error"] for each in found] == [None, "why"]
