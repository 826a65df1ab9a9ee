from pathlib import Path

import pytest

from distilcli.checkpoint.folder import describe_folder
from distilcli.compression.output import check_output, put_in_place, staged
from distilcli.errors import UsageError


def test_nothing_is_left_of_a_failure(tmp_path: Path) -> None:
    def fail(stage: Path) -> None:
        (stage / "file").write_text("x")
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"), staged(tmp_path / "new") as stage:
        fail(stage)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "old").write_text("x")
    with staged(folder) as stage:
        (stage / "file").write_text("x")
        put_in_place(stage, folder)
    assert [path.name for path in tmp_path.rglob("*")] == ["new", "file"]


def test_where_a_model_cannot_be_written(tmp_path: Path, tiny_folder: Path) -> None:
    files = describe_folder("tiny", tiny_folder)
    (tmp_path / "file").write_text("x")
    for folder, message in (
        (tiny_folder, "would replace the model"),
        (tmp_path / "file", "is a file"),
        (tmp_path, "is not empty"),
        (tmp_path / "a" / "b", "there is no folder"),
    ):
        with pytest.raises(UsageError, match=message):
            check_output(folder, [files], force=False)
    check_output(tmp_path, [files], force=True)
    with pytest.raises(UsageError, match="would replace"):
        check_output(tiny_folder, [files], force=True)
