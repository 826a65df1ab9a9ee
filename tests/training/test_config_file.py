import sys
from pathlib import Path

import pytest

from distilcli.errors import InputError, UsageError
from distilcli.training.config_file import read_settings, settings_to_keep
from distilcli.training.config_toml import config_toml

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 reads no TOML")

GIVEN = {
    "files": ["a.csv", Path("b.csv")],
    "valid": "v.csv",
    "epochs": 2,
    "learning_rate": 1e-3,
    "fold": True,
    "freeze": "encoder",
    "prune_heads": ("0:1", "1:0"),
}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_what_is_kept_is_read_again(written: Path) -> None:
    kept = settings_to_keep("regress", GIVEN)
    written.write_text(config_toml({"settings": kept, "learning": {"epochs": 9}}))
    assert read_settings(str(written)) == {
        "task": "regress",
        "files": ["a.csv", "b.csv"],
        "valid": ["v.csv"],
        "epochs": 2,
        "learning_rate": 1e-3,
        "fold": True,
        "freeze": "encoder",
        "prune_heads": ["0:1", "1:0"],
    }


def test_rows_in_memory_are_not_kept() -> None:
    rows = [{"text": "a", "label": "x"}]
    assert settings_to_keep("classify", {"files": rows, "valid": rows, "seed": 1}) == {
        "task": "classify",
        "seed": 1,
    }


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("epoch = 3", "there is no setting 'epoch' in finetune; did you mean 'epochs'"),
        ("colour = 1", "there is no setting 'colour' in finetune$"),
        ('epochs = "three"', "`epochs` is 'three'; it must be a whole number"),
        ("epochs = 2.5", "`epochs` is 2.5; it must be a whole number"),
        ("seed = true", "`seed` is True; it must be a whole number"),
        ("fold = 1", "`fold` is 1; it must be true or false"),
        ('learning_rate = "1e-3"', "must be a number"),
        ('schedule = "step"', "`schedule` is 'step'; it must be linear or cosine"),
        ("prune_heads = [1]", "must be a list of texts"),
        ("text_column = 3", "must be a text"),
    ],
)
def test_what_is_no_setting_is_refused(written: Path, line: str, told: str) -> None:
    written.write_text(f"[settings]\n{line}\n")
    with pytest.raises(UsageError, match=told):
        read_settings(str(written))


def test_a_whole_number_is_a_number(written: Path) -> None:
    written.write_text("[settings]\nclip = 2\n")
    assert read_settings(str(written)) == {"clip": 2}


@pytest.mark.parametrize("content", ["epochs = 3\n[settings]\n", "[setting]\n[settings]\n"])
def test_what_would_be_ignored_is_refused(written: Path, content: str) -> None:
    written.write_text(content)
    with pytest.raises(UsageError, match=r"has no use for '(epochs|setting)'"):
        read_settings(str(written))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"[learning]\nepochs = 3\n", r"has no table \[settings\]"),
        (b"settings = 3\n", r"has no table \[settings\]"),
        (b"epochs 3\n", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
    ],
)
def test_what_is_no_configuration_is_refused(written: Path, content: bytes, told: str) -> None:
    written.write_bytes(content)
    with pytest.raises(InputError, match=told):
        read_settings(str(written))


def test_a_missing_file_is_refused(written: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_settings(str(written))
