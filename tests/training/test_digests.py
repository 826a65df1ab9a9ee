import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.checkpoint.folder import describe_folder
from distilcli.training.digests import model_digest, rows_digest

Make = Callable[..., Path]


def digest(folder: Path) -> str:
    return model_digest(describe_folder(str(folder), folder))


def test_a_model_that_moved_is_the_same(make_model: Make, tmp_path: Path) -> None:
    folder = make_model()
    shutil.copytree(folder, tmp_path / "moved")
    (tmp_path / "moved" / "notes.txt").write_text("of no matter")
    assert digest(tmp_path / "moved") == digest(folder)


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json"]
)
def test_each_file_of_a_model_counts(make_model: Make, name: str) -> None:
    folder = make_model()
    before = digest(folder)
    content = bytearray((folder / name).read_bytes())
    content[-2] ^= 1  # not the last: that may be a line end
    (folder / name).write_bytes(content)
    assert digest(folder) != before


rows = st.lists(st.tuples(st.text(max_size=3), st.integers(0, 2)), max_size=4)


@given(st.lists(rows, max_size=3), st.lists(rows, max_size=3))
def test_rows_are_told_by_what_they_hold(first: list[object], second: list[object]) -> None:
    assert (rows_digest(*first) == rows_digest(*second)) is (first == second)  # type: ignore[arg-type]


def test_rows_of_half_a_character_have_a_digest() -> None:
    assert rows_digest(["\ud800"]) != rows_digest(["\ud801"])


@dataclass(frozen=True, slots=True)
class Row:
    text: str
    parts: tuple[str | None, ...]
    place: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class RenamedRow:
    content: str
    pieces: tuple[str | None, ...]


def test_names_of_classes_and_fields_do_not_count() -> None:
    assert rows_digest([Row("a", ("b", None))]) == rows_digest([RenamedRow("a", ("b", None))])
    assert rows_digest([Row("a", ("b", None))]) == rows_digest([["a", ["b", None]]])


def test_only_what_is_compared_counts() -> None:
    assert rows_digest([Row("a", (), place=1)]) == rows_digest([Row("a", (), place=2)])
    assert rows_digest([Row("a", ("b",))]) != rows_digest([Row("a", ("c",))])


def test_a_digest_is_the_same_in_every_version() -> None:
    """Interrupted runs and kept teacher answers are found by it."""
    rows = [Row("caf\u00e9", ("b", None)), ("text", 1, 0.5, None, float("nan"))]
    assert rows_digest(["negative"], rows) == PINNED


PINNED = "5c041e4b4d6679f689bbeb3781835e7d0b2ee46fe5d77eab981777640b4cf488"
