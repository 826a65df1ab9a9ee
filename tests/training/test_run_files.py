import os
from pathlib import Path
from typing import IO

import pytest

from distilcli.checkpoint.folder import STATE_NAME
from distilcli.errors import ResourceError, UsageError
from distilcli.training.run_files import check_folder, replace_file


def test_a_place_is_checked_and_left_as_it_is(tmp_path: Path) -> None:
    check_folder(tmp_path / "a" / "b")
    check_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UsageError, match="is not empty; use `force`"):
        check_folder(tmp_path)
    check_folder(tmp_path, force=True)
    with pytest.raises(UsageError, match="there is no interrupted run, nothing to resume"):
        check_folder(tmp_path, resume=True)
    (tmp_path / STATE_NAME).touch()
    check_folder(tmp_path, resume=True)


@pytest.mark.skipif(
    os.name == "nt" or os.access("/", os.W_OK), reason="one who may write everywhere runs this"
)
def test_a_folder_that_may_not_be_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ResourceError, match=r"cannot be created: .* is not writable"):
        check_folder(tmp_path / "x")


@pytest.mark.parametrize("content", [b"new", b""])
def test_a_file_is_replaced_as_a_whole(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    replace_file(path, lambda file: file.write(content))
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError("full"), KeyboardInterrupt()])
def test_a_file_that_cannot_be_written_stays_as_it_was(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def write(file: IO[bytes]) -> None:
        file.write(b"ne")
        raise error

    with pytest.raises(type(error)):
        replace_file(path, write)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
