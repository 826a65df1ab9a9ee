import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from distilcli.checkpoint.digest import model_digest
from distilcli.checkpoint.folder import describe_folder

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
