import json
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilcli.checkpoint.safetensors_header import (
    DTYPE_BITS,
    HEADER_LIMIT,
    read_checkpoint_header,
    read_header,
    read_shard_index,
)
from distilcli.errors import ModelError
from tests.checkpoint._files import write_raw, write_safetensors

PAIR = {"a": ("F32", (2, 3)), "b": ("I8", (5,))}


def test_tensors_are_described_in_the_order_of_their_data(tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "m.safetensors", PAIR, {"format": "pt"})
    header = read_header(path)
    assert list(header.tensors) == ["a", "b"]
    first, second = header.tensors.values()
    assert (first.dtype, first.shape, first.numel, first.nbytes) == ("F32", (2, 3), 6, 24)
    assert (second.begin, second.end) == (first.end, path.stat().st_size)
    assert header.metadata == {"format": "pt"}
    assert header.files == (path,)


def test_the_header_agrees_with_the_safetensors_package(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    save_file = pytest.importorskip("safetensors.numpy").save_file
    arrays = {
        "half": numpy.ones((3, 4), numpy.float16),
        "scalar": numpy.array(7, numpy.float32),
        "none": numpy.ones((0, 4), numpy.float64),
        "int": numpy.arange(9, dtype=numpy.int64),
    }
    save_file(arrays, tmp_path / "m.safetensors", metadata={"format": "np"})
    header = read_header(tmp_path / "m.safetensors")
    data = (tmp_path / "m.safetensors").read_bytes()
    assert header.tensors.keys() == arrays.keys()
    for name, array in arrays.items():
        info = header.tensors[name]
        assert info.shape == array.shape
        assert data[info.begin : info.end] == array.tobytes()


@settings(deadline=None)
@given(st.dictionaries(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8),
    st.tuples(
        st.sampled_from([name for name, bits in DTYPE_BITS.items() if bits >= 8]),
        st.lists(st.integers(0, 5), max_size=3).map(tuple),
    ),
    max_size=6,
))  # fmt: skip
def test_whatever_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, tensors
) -> None:
    path = write_safetensors(tmp_path_factory.mktemp("h") / "m.safetensors", tensors)
    found = {name: (i.dtype, i.shape) for name, i in read_header(path).tensors.items()}
    assert found == tensors


@settings(deadline=None)
@given(st.data())
def test_a_file_cut_anywhere_is_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = write_safetensors(tmp_path_factory.mktemp("h") / "m.safetensors", PAIR)
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(ModelError, match="download it again"):
        read_header(path)


def _refusal(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_header(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message


@pytest.mark.parametrize(
    ("content", "wording"),
    [
        (b"", "is empty (an unfinished download)"),
        (b"\x05\0\0", "ends after 3 bytes"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n", "git lfs pull"),
        (struct.pack("<Q", HEADER_LIMIT + 1) + b"{}", "asks for a header of 25,000,001 bytes"),
        (struct.pack("<Q", 90) + b'{"a"', "the header needs 90 bytes"),
        (b"<html><head><title>404</title>", "not a safetensors file or is damaged"),
        (struct.pack("<Q", 2) + b"[]", "no JSON header"),
        (struct.pack("<Q", 3) + b"{a}", "has a header that is not JSON"),
        (struct.pack("<Q", 3) + b"{\xff}", "has a header that is not JSON"),
        (struct.pack("<Q", 200_005) + b'{"a":' + b"[" * 200_000, "not JSON"),
    ],
)
def test_a_file_that_is_no_safetensors_file(tmp_path: Path, content: bytes, wording: str) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    assert wording in _refusal(path)


ENTRY = '{"dtype":"U8","shape":[2],"data_offsets":[0,2]}'


@pytest.mark.parametrize(
    ("header", "wording"),
    [
        (f'{{"a":{ENTRY},"a":{ENTRY}}}', "names 'a' twice"),
        (f'{{"a":{ENTRY},"b":{ENTRY}}}', "tensor 'b' overlaps"),
        ('{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', "tensor 'a' follows a hole"),
        ('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', "1 bytes after its last tensor"),
        ('{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}', "cut short"),
        ('{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,2]}}', "2 bytes for U8 of shape [3]"),
        ('{"a":{"dtype":"U8","shape":[2],"data_offsets":[2,0]}}', "-2 bytes"),
        ('{"a":{"dtype":"U8","shape":[-2],"data_offsets":[0,2]}}', "whole numbers as 'shape'"),
        ('{"a":{"dtype":"U8","shape":[true],"data_offsets":[0,2]}}', "whole numbers as 'shape'"),
        ('{"a":{"dtype":"U8","shape":[2],"data_offsets":[0]}}', "1 offsets instead of 2"),
        ('{"a":{"dtype":"Q4","shape":[2],"data_offsets":[0,2]}}', "'Q4', an unknown type"),
        ('{"a":{"shape":[2],"data_offsets":[0,2]}}', "None, an unknown type"),
        ('{"a":7}', "without whole numbers"),
        (f'{{"a\\u001b[2J":{ENTRY}}}', "cannot be printed"),
        (f'{{"__metadata__":{{"n":1}},"a":{ENTRY}}}', "__metadata__"),
        ('{"__metadata__":[]}', "__metadata__"),
    ],
)
def test_a_header_that_breaks_the_format(tmp_path: Path, header: str, wording: str) -> None:
    path = write_raw(tmp_path / "m.safetensors", header.encode(), 2)
    assert wording in _refusal(path)


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    assert "cannot be read" in _refusal(tmp_path)


def test_shards_are_merged(tmp_path: Path) -> None:
    one = write_safetensors(tmp_path / "1.safetensors", {"a": ("F32", (2,))}, {"format": "pt"})
    two = write_safetensors(tmp_path / "2.safetensors", {"b": ("F16", (3,))})
    header = read_checkpoint_header([one, two])
    assert {name: info.file for name, info in header.tensors.items()} == {"a": one, "b": two}
    assert header.files == (one, two)


def test_a_tensor_in_two_shards_is_refused(tmp_path: Path) -> None:
    one = write_safetensors(tmp_path / "1.safetensors", PAIR)
    two = write_safetensors(tmp_path / "2.safetensors", PAIR)
    with pytest.raises(ModelError, match=r"tensor 'a' is also in 1\.safetensors"):
        read_checkpoint_header([one, two])


def _index(folder: Path, content: object) -> Path:
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps(content))
    return path


def test_an_index_names_its_shards_once(tmp_path: Path) -> None:
    index = _index(
        tmp_path, {"weight_map": {"x": "b.safetensors", "y": "a.safetensors", "z": "a.safetensors"}}
    )
    assert read_shard_index(index) == (tmp_path / "a.safetensors", tmp_path / "b.safetensors")


@pytest.mark.parametrize(
    "shard",
    ["../m.safetensors", "/etc/passwd", "a/b.safetensors", "..", "", "a\\b", "C:x", 7, None],
)
def test_an_index_that_leaves_its_folder_is_refused(tmp_path: Path, shard: object) -> None:
    index = _index(tmp_path, {"weight_map": {"x": shard}})
    with pytest.raises(ModelError, match="not a file of this folder"):
        read_shard_index(index)


def test_an_index_that_is_not_an_object_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"index\.json: not a JSON object; download it again"):
        read_shard_index(_index(tmp_path, []))


@pytest.mark.parametrize("content", [{}, {"weight_map": {}}, {"weight_map": "a"}])
def test_an_index_without_a_map_is_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(ModelError, match="weight_map"):
        read_shard_index(_index(tmp_path, content))


def test_a_broken_index_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors.index.json"
    path.write_text("{")
    with pytest.raises(ModelError, match=r"line 1, column 2: not JSON: .*; download it again"):
        read_shard_index(path)


def test_more_tensors_than_any_model_has_are_refused_unparsed(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    text = b'{"a":[' + b"[]," * 300_001 + b"[]]}"
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    assert "describes more than 100,000 tensors" in _refusal(path)


@pytest.mark.parametrize(
    ("shape", "wording"),
    [
        ([1] * 9, "gives tensor 'a' 9 numbers as 'shape'"),
        ([2**63, 0], "without whole numbers as 'shape'"),
    ],
)
def test_a_shape_that_no_tensor_has(tmp_path: Path, shape: list[int], wording: str) -> None:
    path = tmp_path / "m.safetensors"
    entry = {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}
    write_raw(path, json.dumps({"a": entry}).encode(), 0)
    assert wording in _refusal(path)


def test_an_index_of_thousands_of_files_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": {str(n): f"{n}.safetensors" for n in range(1_001)}}))
    with pytest.raises(ModelError, match="names 1,001 files; use another checkpoint"):
        read_shard_index(path)
