import os
from pathlib import Path

import pytest

from distilcli.checkpoint.json_file import read_json, read_object, read_text, shown
from distilcli.errors import ModelError

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


def test_a_file_that_no_model_needs_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # it takes no room on the disk
    with pytest.raises(ModelError, match="is larger than 32 MiB"):
        read_json(path)


def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    os.mkfifo(path)
    with pytest.raises(ModelError, match="cannot be read: it is not a file"):
        read_json(path)


def test_a_link_to_itself(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.symlink_to(path.name)
    with pytest.raises(ModelError, match="cannot be read: "):
        read_json(path)


def test_brackets_without_end_are_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("[" + "[]," * 600_000 + "0]")
    with pytest.raises(ModelError, match="has more than 500,000 lists"):
        read_json(path)


@pytest.mark.parametrize(
    "value", ["x" * 1_000, [1] * 1_000, 10**5_000], ids=["text", "list", "number"]
)
def test_a_value_is_shown_in_short(value: object) -> None:
    assert len(shown(value)) <= 81
    assert shown("so") == "'so'"
