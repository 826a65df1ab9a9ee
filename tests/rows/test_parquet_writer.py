import datetime as dt
import decimal
import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from distilcli.errors import InputError, UsageError
from distilcli.rows import open_rows
from distilcli.rows.row import NumberText, Row
from distilcli.rows.row_writer import RowWriter
from distilcli.rows.writer import open_writer

arrow = pytest.importorskip("pyarrow")
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


def copied(
    paths: list[Path], destination: Path, *, every: int = 1, **settings: str
) -> "arrow.Table":
    """Copy rows with a new column, except those left out by `every`, and return the table."""
    with open_rows(list(map(str, paths)), **settings) as source:
        rows = list(source)[::every]
        with open_writer(
            destination, columns=source.columns, new_columns=["label"],
            input_format=source.format, types=source.types,
        ) as out:  # fmt: skip
            for first in range(0, len(rows), 3):
                out.write_rows([(row, {"label": "x"}) for row in rows[first : first + 3]])
    return parquet.read_table(destination)


def test_columns_of_parquet_keep_their_types(tmp_path: Path) -> None:
    day = dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.timezone.utc)
    table = arrow.table(
        {
            "text": ["a", None, "c", "d", "e"],
            "n": arrow.array([1, None, 2**60, 4, 5], arrow.int64()),
            "small": arrow.array([1, 2, 3, 4, 5], arrow.int8()),
            "x": [math.inf, math.nan, None, -0.0, 0.1],
            "day": [day, None, day, day, day],
            "money": [decimal.Decimal("1.10"), None, *[decimal.Decimal("2.00")] * 3],
            "kind": arrow.array(["p", "q", "p", None, "q"]).dictionary_encode(),
            "list": [[1], None, [], [2, None], [3]],
            "nested": [{"a": {"b": 1}}, None, {"a": None}, {"a": {"b": 2}}, {"a": {"b": 3}}],
            "nothing": arrow.nulls(5),
            "yes": [True, None, False, True, False],
            "bytes": [b"\xff", None, b"", b"a", b"b"],
        }
    )
    parquet.write_table(table, tmp_path / "in.parquet", row_group_size=2)
    got = copied([tmp_path / "in.parquet"], tmp_path / "out.parquet", every=2)
    kept = got.select(table.column_names)
    assert kept.schema.types == table.schema.types
    assert str(kept.to_pylist()) == str(table.take([0, 2, 4]).to_pylist())
    assert got["label"].to_pylist() == ["x"] * 3


def test_a_column_of_numbers_that_another_file_has_otherwise(tmp_path: Path) -> None:
    for name, values in (("a", [1, 2]), ("b", [0.5, None]), ("c", None)):
        rows = arrow.nulls(1) if values is None else values
        parquet.write_table(arrow.table({"text": rows, "n": rows}), tmp_path / f"{name}.parquet")
    files = [tmp_path / f"{name}.parquet" for name in "abc"]
    got = copied(files, tmp_path / "out.parquet")
    assert got["n"].to_pylist() == [1.0, 2.0, 0.5, None, None]


def test_a_column_without_a_common_type_is_text(tmp_path: Path) -> None:
    parquet.write_table(arrow.table({"text": ["a"], "n": [1]}), tmp_path / "a.parquet")
    parquet.write_table(arrow.table({"text": ["b"], "n": ["one"]}), tmp_path / "b.parquet")
    got = copied([tmp_path / "a.parquet", tmp_path / "b.parquet"], tmp_path / "out.parquet")
    assert got["n"].to_pylist() == ["1", "one"]


def test_types_with_files_of_another_format_and_a_column_of_names(tmp_path: Path) -> None:
    parquet.write_table(arrow.table({"text": ["a"], "n": [1]}), tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text("text,n\nb,x\n")
    got = copied([tmp_path / "a.parquet", tmp_path / "b.csv"], tmp_path / "mixed.parquet")
    assert got["n"].to_pylist() == ["1", "x"]
    got = copied([tmp_path / "a.parquet"], tmp_path / "out.parquet", file_column="file")
    assert got.to_pylist() == [
        {"text": "a", "n": 1, "file": str(tmp_path / "a.parquet"), "label": "x", "error": None,
         "truncated": None}
    ]  # fmt: skip


def test_columns_of_one_name_and_no_rows_keep_their_types(tmp_path: Path) -> None:
    columns = [arrow.array([1], arrow.int8()), arrow.array([0.5])]
    parquet.write_table(arrow.table(columns, names=["n", "n"]), tmp_path / "a.parquet")
    got = copied([tmp_path / "a.parquet"], tmp_path / "out.parquet")
    assert got.to_pylist()[0] | {"n": 1, "n_2": 0.5} == got.to_pylist()[0]
    parquet.write_table(arrow.table(columns, names=["n", "m"])[:0], tmp_path / "b.parquet")
    got = copied([tmp_path / "b.parquet"], tmp_path / "empty.parquet")
    assert got.schema.types[:2] == [arrow.int8(), arrow.float64()]
