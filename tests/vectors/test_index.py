import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from distilcli.errors import InputError
from distilcli.vectors import index as module
from distilcli.vectors.index import VectorIndex, open_index
from tests.checkpoint._files import write_safetensors

DTYPES = ["float32", "float16", "int8", "uint8"]


def numbers(dtype: str, rows: int = 7, columns: int = 5) -> np.ndarray:
    values = np.random.default_rng(0).integers(
        -100 if dtype != "uint8" else 0, 100, (rows, columns)
    )
    return values.astype(dtype)


def floats(vectors: np.ndarray) -> np.ndarray:
    """What stored numbers mean."""
    if vectors.dtype == np.uint8:
        return np.unpackbits(vectors, axis=1).astype(np.float32) * 2 - 1
    return vectors.astype(np.float32)


def save(path: Path, vectors: np.ndarray) -> str:
    if path.suffix == ".npy":
        np.save(path, vectors)
    else:
        save_file({"embeddings": vectors}, path)
    return str(path)


def read(stored: VectorIndex, rows: int | None = None) -> np.ndarray:
    parts = list(stored.stretches(rows))
    assert [first for first, _ in parts] == list(range(0, stored.count, rows or stored.count))
    return np.concatenate([np.array(part) for _, part in parts])


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        open_index(str(path))
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    return message


@pytest.mark.parametrize("suffix", ["npy", "safetensors"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [None, 1, 3, 7, 100])
def test_what_other_programs_wrote(
    tmp_path: Path, suffix: str, dtype: str, rows: int | None
) -> None:
    vectors = numbers(dtype)
    stored = open_index(save(tmp_path / f"a.{suffix}", vectors))
    assert (stored.count, stored.columns, stored.dtype) == (7, 5, vectors.dtype)
    assert stored.width == (40 if dtype == "uint8" else 5)
    parts = list(stored.stretches(rows))
    assert all(part.dtype == np.float32 for _, part in parts)
    assert np.array_equal(np.concatenate([part for _, part in parts]), floats(vectors))
    assert [first for first, _ in parts] == list(range(0, 7, rows or 7))


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_versions_of_npy(tmp_path: Path, version: tuple[int, int]) -> None:
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array(file, numbers("float32"), version=version)
    assert np.array_equal(read(open_index(str(tmp_path / "a.npy"))), numbers("float32"))


def test_a_tensor_of_any_name_and_ours_among_several(tmp_path: Path) -> None:
    save_file({"vectors": numbers("float32")}, tmp_path / "a.safetensors")
    assert open_index(str(tmp_path / "a.safetensors")).count == 7
    tensors = {"a": numbers("int8"), "embeddings": numbers("float32", 3), "z": numbers("int8")}
    save_file(tensors, tmp_path / "b.safetensors")
    assert np.array_equal(read(open_index(str(tmp_path / "b.safetensors"))), numbers("float32", 3))


def test_no_vectors(tmp_path: Path) -> None:
    stored = open_index(save(tmp_path / "a.npy", numbers("float32", 0)))
    assert (stored.count, stored.width, list(stored.stretches())) == (0, 5, [])
    assert stored.names().columns == ("id",)


def test_no_more_is_mapped_than_was_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.npy", numbers("float32", 100, 16))
    sizes: list[int] = []
    mapped = np.memmap

    def watched(*args: object, **named: object) -> np.ndarray:
        found = mapped(*args, **named)  # type: ignore[call-overload]
        sizes.append(found.nbytes)
        return found  # type: ignore[no-any-return]

    monkeypatch.setattr(np, "memmap", watched)
    monkeypatch.setattr(module, "_STRETCH_BYTES", 1000)
    assert len(list(open_index(path).stretches())) == len(sizes) == 7
    assert max(sizes) <= 1000
    assert sum(sizes) == 6400


def test_signs_of_which_the_last_byte_has_some_left_over(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npy", numbers("uint8", 4, 2))
    for dims, width in [(9, 9), (16, 16), (8, 16), (17, 16), (0, 16), ("9", 16), (None, 16)]:
        Path(f"{path}.json").write_text(json.dumps({"dims": dims}))
        stored = open_index(path)
        assert stored.width == width
        assert np.array_equal(read(stored), floats(numbers("uint8", 4, 2))[:, :width])


def test_what_names_them(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npy", numbers("float32", 3))
    assert open_index(path).names()[2] == {"id": 3}
    lines = [{"id": "x", "text": "né\n"}, {"id": "y", "text": None, "error": "e"}, {"id": 3}]
    rows = Path(f"{path}.rows.jsonl")
    rows.write_text("".join(json.dumps(line) + "\n" for line in lines))
    names = open_index(path).names()
    assert [names[number] for number in (2, 0, 1)] == [lines[2], lines[0], lines[1]]
    assert names.columns == ("id", "text")
    rows.write_text('{"id": 1}\n{"id": 2}\n')
    with pytest.raises(InputError, match="2 lines for 3 vectors"):
        open_index(path).names()


@pytest.mark.parametrize("line", ["{", "[1]", "", "[" * 100_000])
def test_names_that_are_broken(tmp_path: Path, line: str) -> None:
    path = save(tmp_path / "a.npy", numbers("float32", 2))
    Path(f"{path}.rows.jsonl").write_text(f'{{"id": 1}}\n{line}\n')
    with pytest.raises(InputError, match=r"a\.npy\.rows\.jsonl, line 2: is no JSON object"):
        open_index(path).names()[1]


def test_how_they_were_made(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npy", numbers("float32"))
    assert open_index(path).about == {}
    beside = Path(f"{path}.json")
    beside.write_text('{"model": "m"}')
    assert open_index(path).about == {"model": "m"}
    beside.write_text("[1]")
    assert open_index(path).about == {}
    beside.write_text("{")
    assert "a.npy.json: line 1, column 2: not JSON" in refusal(tmp_path / "a.npy")


def header(text: str, *, length: int | None = None) -> bytes:
    raw = text.encode("latin-1")
    return b"\x93NUMPY\x02\x00" + (length or len(raw)).to_bytes(4, "little") + raw


SHAPE = "{'descr': '<f4', 'fortran_order': False, 'shape': %s}"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "holds no vectors"),
        (b"\x93NUM", "holds no vectors"),
        (b"id,text\n1,a\n", "holds no vectors"),
        (b"PK\x03\x04 a zip", "holds no vectors"),
        (header("{"), "holds no vectors"),
        (header("[1]"), "holds no vectors"),
        (header("{}"), "holds no vectors"),
        (header("__import__('os')"), "holds no vectors"),
        (header("[" * 5000), "holds no vectors"),
        (header("1", length=1 << 31), "a header of 2,147,483,648 bytes"),
        (header(SHAPE % "(3,)"), r"of shape (3,)"),
        (header(SHAPE % "()"), "of shape ()"),
        (header(SHAPE % "(1, 2, 3)"), "of shape (1, 2, 3)"),
        (header(SHAPE % "(-1, 3)"), "of shape (-1, 3)"),
        (header(SHAPE % "(3, 0)"), "of shape (3, 0)"),
        (header(SHAPE % "(1.5, 3)"), "of shape (1.5, 3)"),
        (header(SHAPE % "5"), "holds no vectors"),
        (header(SHAPE % "(1000000, 1000000)"), "shorter than its header says"),
        (header((SHAPE % "(1, 1)").replace("'<f4'", "[('a', '<f4')]")), "rows and columns"),
        (header((SHAPE % "(1, 1)").replace("'<f4'", "'no such'")), "holds no vectors"),
    ],
)
def test_broken_npy(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    assert why in refusal(path)


def test_arrays_of_other_kinds(tmp_path: Path) -> None:
    vectors = numbers("float32")
    for other in (vectors.astype("f8"), vectors.astype(">f4"), vectors.astype("i4"), vectors > 0):
        assert f"holds {other.dtype} of shape (7, 5)" in refusal(
            Path(save(tmp_path / "a.npy", other))
        )
    turned = refusal(Path(save(tmp_path / "a.npy", np.asfortranarray(vectors))))
    assert "columns come before its rows" in turned


def test_a_file_that_was_cut(tmp_path: Path) -> None:
    for suffix in ("npy", "safetensors"):
        path = tmp_path / f"a.{suffix}"
        save(path, numbers("float32"))
        whole = path.read_bytes()
        for kept in (len(whole) - 1, len(whole) - 140, 60, 9, 5):
            path.write_bytes(whole[:kept])
            refusal(path)


def test_broken_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_text("id,text\n1,a\n")
    refusal(path)
    assert "it has no tensor" in refusal(write_safetensors(path, {}))
    assert "embeddings is BF16" in refusal(
        write_safetensors(path, {"embeddings": ("BF16", (2, 2))})
    )
    assert "of shape (4,)" in refusal(write_safetensors(path, {"embeddings": ("F32", (4,))}))


def test_files_that_are_none(tmp_path: Path) -> None:
    assert "no such file; make one with distil embed" in refusal(tmp_path / "a.npy")
    assert ".npy or .safetensors" in refusal(tmp_path / "a.csv")
    (tmp_path / "b.npy").mkdir()
    refusal(tmp_path / "b.npy")
