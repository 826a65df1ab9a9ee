import json
from pathlib import Path

import numpy as np
import pytest

from distilcli.errors import InputError
from distilcli.rows import Row, open_rows
from distilcli.vectors.index import VectorIndex, open_index
from distilcli.vectors.new_texts import NewTexts


def index_with(folder: Path, *lines: str) -> VectorIndex:
    path = folder / "a.npy"
    np.save(path, np.ones((len(lines), 2), np.float32))
    Path(f"{path}.rows.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return open_index(path)


def new(stored: VectorIndex | None, *texts: object) -> tuple[list[object], int]:
    """Return which texts are new, and how many were known."""
    facts: dict[str, int] = {}
    is_new = NewTexts("text", stored, facts)
    found = [text for text in texts if is_new(Row(("text",), [text], "a", 1))]
    return found, facts["known_rows"]


def test_texts_that_are_stored_are_not_new(tmp_path: Path) -> None:
    stored = index_with(tmp_path, '{"id": 1, "text": "a é"}', '{"id": 2, "text": "b"}')
    assert new(stored, "b", "B", "a é", "a é ") == (["B", "a é "], 2)
    assert new(None, "b") == (["b"], 0)


def test_a_text_is_new_once() -> None:
    assert new(None, "a", "b", "a", "a") == (["a", "b"], 2)


@pytest.mark.parametrize("text", ["", " \u200b", None])
def test_empty_texts_are_not_known_unless_they_are_kept(tmp_path: Path, text: str | None) -> None:
    assert new(None, text, text) == ([text, text], 0)
    is_new = NewTexts("text", None, facts := {}, keep_empty=True)
    assert [is_new(Row(("text",), [text], "a", 1)) for _ in range(3)] == [True, False, False]
    assert facts == {"known_rows": 2}


def test_rows_that_failed_are_tried_again(tmp_path: Path) -> None:
    lines = ('{"id": 1, "text": "a", "error": "too long"}', '{"id": 2, "text": "b"}')
    assert new(index_with(tmp_path, *lines), "a", "b", None, None) == (["a", None, None], 1)


def test_numbers_are_compared_as_they_are_written(tmp_path: Path) -> None:
    stored = index_with(tmp_path, '{"id": 1, "text": 1.50}', '{"id": 2, "text": true}')
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": 1.50}\n{"text": 1.5}\n{"text": true}\n{"text": "1.50"}\n')
    is_new = NewTexts("text", stored, {})
    assert [is_new(row) for row in open_rows([str(path)])] == [False, True, False, False]


def test_an_index_without_texts(tmp_path: Path) -> None:
    stored = index_with(tmp_path, json.dumps({"id": 1}))
    with pytest.raises(InputError, match="has no texts beside it; embed all rows again"):
        NewTexts("text", stored, {})
    Path(f"{stored.path}.rows.jsonl").unlink()
    with pytest.raises(InputError, match="has no texts"):
        NewTexts("text", stored, {})
    assert new(index_with(tmp_path), "a") == (["a"], 0)
