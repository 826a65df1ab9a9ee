import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from distilcli.errors import ResourceError, UsageError
from distilcli.rows.output import FileOutput
from distilcli.rows.row import Row
from distilcli.vectors.writer import HEADERS, VectorColumns, VectorWriter

ABOUT = {"model": "m", "dims": 3}
DTYPES = ["float32", "float16", "int8", "uint8"]


def loaded(path: Path) -> np.ndarray:
    return np.load(path) if path.suffix == ".npy" else load_file(path)["embeddings"]


def rows_beside(path: Path) -> list[dict[str, Any]]:
    lines = Path(f"{path}.rows.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def row(number: int, text: str) -> Row:
    return Row(("key", "text"), [f"k{number}", text], "a.csv", number + 2)


def writer(path: Path, dtype: str = "float32", **options: Any) -> VectorWriter:
    named = {"identity": None, "text": "text", **options.pop("columns", {})}
    settings = {"blank": np.zeros(3, dtype), "about": ABOUT, "force": False, **options}
    kind = settings.pop("kind", path.suffix[1:])
    return VectorWriter(str(path), kind, VectorColumns(vector="embedding", **named), **settings)


def block(vectors: np.ndarray) -> list[tuple[Row, dict[str, Any]]]:
    return [(row(n, f"text {n}"), {"embedding": vector}) for n, vector in enumerate(vectors)]


@pytest.mark.parametrize("suffix", HEADERS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [0, 1, 5])
def test_others_read_what_was_written(tmp_path: Path, suffix: str, dtype: str, count: int) -> None:
    path = tmp_path / f"a.{suffix}"
    vectors = np.random.default_rng(0).integers(0, 100, (count, 3)).astype(dtype)
    with writer(path, dtype) as out:
        for start in range(0, count, 2):
            out.write_rows(block(vectors)[start : start + 2])
    found = loaded(path)
    assert (found.dtype, found.shape) == (vectors.dtype, (count, 3))
    assert np.array_equal(found, vectors)
    assert rows_beside(path) == [{"id": n + 1, "text": f"text {n}"} for n in range(count)]
    about = json.loads(Path(f"{path}.json").read_text())
    assert about == {**ABOUT, "vectors": count}
    assert names(tmp_path) == [path.name, f"{path.name}.json", f"{path.name}.rows.jsonl"]


@pytest.mark.parametrize("kind", HEADERS)
def test_headers_have_room_for_any_number(kind: str) -> None:
    for dtype in ("<f4", "<f2", "|i1", "|u1"):
        lengths = {len(HEADERS[kind](count, 100_000, dtype)) for count in (0, 7, 10**15)}
        assert len(lengths) == 1
        assert lengths.pop() % 8 == 0


def test_failed_rows_keep_their_place(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    vector = np.ones(3, np.float32)
    with writer(path, blank=np.full(3, np.nan, np.float32)) as out:
        out.write_rows(
            [
                (row(0, "good"), {"embedding": vector, "error": None}),
                (row(1, "bad"), {"embedding": None, "error": "why: what"}),
                (row(2, "good"), {"embedding": vector, "error": None}),
            ]
        )
    assert np.isnan(loaded(path)).all(axis=1).tolist() == [False, True, False]
    assert rows_beside(path)[1] == {"id": 2, "text": "bad", "error": "why: what"}
    assert "error" not in rows_beside(path)[0]


def test_ids_of_a_column(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    with writer(path, columns={"identity": "key", "text": None}) as out:
        out.write_rows(block(np.ones((2, 3), np.float32)))
    assert rows_beside(path) == [{"id": "k0"}, {"id": "k1"}]


def test_tokens(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    vectors = np.arange(6, dtype=np.float32).reshape(2, 3)
    value = {"tokens": ["a", "##b"], "offsets": [(0, 1), (1, 2)], "embedding": vectors}
    nothing: dict[str, Any] = {"tokens": [], "offsets": [], "embedding": vectors[:0]}
    failed = {"tokens": None, "offsets": None, "embedding": None, "error": "why"}
    with writer(path, columns={"of_tokens": True}) as out:
        out.write_rows([(row(0, "ab"), value), (row(1, ""), nothing), (row(2, "x"), failed)])
        out.write_rows([(row(3, "ab"), value)])
    assert np.array_equal(loaded(path), np.concatenate([vectors, np.zeros((1, 3)), vectors]))
    tokens = [{"token": "a", "start": 0, "end": 1}, {"token": "##b", "start": 1, "end": 2}]
    assert rows_beside(path) == [
        *({"id": 1, **token} for token in tokens),
        {"id": 3, "text": "x", "error": "why"},
        *({"id": 4, **token} for token in tokens),
    ]


def test_texts_of_any_sign(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    texts = ["né 😀", "two\nlines\u2028three", '"\\', "\ud800"]
    with writer(path) as out:
        out.write_rows(
            [(row(n, text), {"embedding": np.ones(3, "f4")}) for n, text in enumerate(texts)]
        )
    lines = Path(f"{path}.rows.jsonl").read_bytes().split(b"\n")[:-1]
    assert [json.loads(line)["text"] for line in lines] == texts


def test_nothing_is_left_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), writer(tmp_path / "a.npy") as out:
        out.write_rows([*block(np.ones((2, 3), np.float32)), (row(3, "a"), {})])
    assert names(tmp_path) == []


@pytest.mark.parametrize("at", [1, 2, 3])
def test_nothing_is_left_after_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    finish, calls = FileOutput.finish, iter(range(1, 4))

    def full(output: FileOutput) -> None:
        if next(calls) == at:
            raise ResourceError("no space")
        finish(output)

    monkeypatch.setattr(FileOutput, "finish", full)
    with pytest.raises(ResourceError), writer(tmp_path / "a.npy") as out:
        out.write_rows(block(np.ones((2, 3), np.float32)))
    assert names(tmp_path) == []


@pytest.mark.parametrize("at", [1, 2, 3])
def test_nothing_is_left_where_a_file_cannot_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    opened, calls = FileOutput.__init__, iter(range(1, 4))

    def full(output: FileOutput, *args: Any, **settings: Any) -> None:
        if next(calls) == at:
            raise ResourceError("no space")
        opened(output, *args, **settings)

    monkeypatch.setattr(FileOutput, "__init__", full)
    with pytest.raises(ResourceError):
        writer(tmp_path / "a.npy")
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["a.npy", "a.npy.json", "a.npy.rows.jsonl"])
def test_files_that_are_there_are_kept_without_force(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match=f"{name}: already exists; use `force`"):
        writer(tmp_path / "a.npy")
    assert (tmp_path / name).read_text() == "mine"
    with pytest.raises(KeyError), writer(tmp_path / "a.npy", force=True):
        raise KeyError
    assert (tmp_path / name).read_text() == "mine"
    with writer(tmp_path / "a.npy", force=True) as out:
        out.write_rows(block(np.ones((2, 3), np.float32)))
    assert loaded(tmp_path / "a.npy").shape == (2, 3)
    assert len(rows_beside(tmp_path / "a.npy")) == 2


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
@pytest.mark.parametrize("name", ["a.npy", "a.npy.json", "a.npy.rows.jsonl"])
def test_what_is_no_file(tmp_path: Path, make: Callable[[Path], None], name: str) -> None:
    make(tmp_path / name)
    with pytest.raises(UsageError) as caught:
        writer(tmp_path / "a.npy", force=True)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert names(tmp_path) == [name]


def test_places_that_take_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        writer(tmp_path / "none" / "a.npy")
    with pytest.raises(UsageError, match="leave out the last suffix"):
        writer(tmp_path / "a.npy.gz", kind="npy")
    with pytest.raises(UsageError, match="too long"):
        writer(tmp_path / f"{'a' * 248}.npy")
    assert names(tmp_path) == []
