from pathlib import Path

import pytest

from distilcli.checkpoint.json_file import read_json, read_object, read_text
from distilcli.errors import InputError, ModelError

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n"


def test_an_object_is_read_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    for mark in (b"", b"\xef\xbb\xbf"):
        path.write_bytes(mark + '{"a": ["é", 1]}'.encode())
        assert read_object(path) == {"a": ["é", 1]}


def test_any_json_is_read(tmp_path: Path) -> None:
    path = tmp_path / "modules.json"
    path.write_text("[1, null]")
    assert read_json(path) == [1, None]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "line 1, column 1: not JSON: Expecting value; download it again"),
        (b'{\n"a": }', "line 2, column 6: not JSON: Expecting value; download it again"),
        (b"{}\n\xe9", "line 2: byte 0xe9 is not UTF-8; download it again"),
        (b"[" * 200_000, "nested too deep; download it again"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "cannot be read as JSON: "),
        (b"[1]", "not a JSON object; download it again"),
        (b'"text"', "not a JSON object; download it again"),
        (POINTER, "is a git-lfs pointer, not the file; run 'git lfs pull'"),
        (None, "no such file; download it again"),
    ],
)
def test_each_fault_is_named_in_one_line(tmp_path: Path, content: bytes | None, fault: str) -> None:
    path = tmp_path / "config.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        read_object(path)
    assert str(caught.value).startswith(f"{path}: {fault}")
    assert "\n" not in str(caught.value)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read: "):
        read_text(tmp_path)


def test_the_caller_names_the_way_out_and_the_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.json: no such file; embed again$"):
        read_json(tmp_path / "a.json", way_out="embed again", error=InputError)
