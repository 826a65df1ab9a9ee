from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from distilcli.errors import UsageError
from distilcli.rows.data import is_files, open_data
from distilcli.rows.row import cell_text, cell_value

ROWS = [{"text": "good", "label": 1}, {"text": "bad", "label": 0, "tags": ["a", 2]}]


def read(data: Any, **settings: Any) -> list[dict[str, object]]:
    source = open_data(data, name="rows", **settings)
    return [dict(zip(row.columns, row.cells, strict=True)) for row in source]


def test_paths_are_files(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\ngood,1\n")
    for data in (path, str(path), [path]):
        assert is_files(data)
        assert read(data) == [{"text": "good", "label": "1"}]
    assert len(read([path, str(path)])) == 2
    assert read([path, path], limit=1) == read(path)


def test_mappings_are_rows_with_numbers_as_text() -> None:
    assert not is_files(ROWS)
    assert read(ROWS) == [
        {"text": "good", "label": "1", "tags": None},
        {"text": "bad", "label": "0", "tags": ["a", "2"]},
    ]
    assert read(iter(ROWS), limit=1) == read(ROWS)[:1]


def test_a_data_frame_is_rows_without_its_missing_values() -> None:
    frame = pd.DataFrame({"text": ["good", None], "score": [0.5, float("nan")]})
    assert read(frame) == [{"text": "good", "score": "0.5"}, {"text": None, "score": None}]


def test_rows_know_their_number_and_text_column() -> None:
    source = open_data([{"a": "x", "review": "y"}], name="the rows", encoding="utf-8")
    assert source.text_column == "review"
    (row,) = source
    assert (row.source, row.line, cell_text(row, "a")) == ("the rows", 1, "x")
    assert cell_value(row, "b") is None


@pytest.mark.parametrize("data", [[1, 2], [{"text": "a"}, "b"]])
def test_other_things_are_refused(data: Any) -> None:
    with pytest.raises(UsageError, match="the rows: give paths, or rows as mappings"):
        open_data(data, name="the rows")
