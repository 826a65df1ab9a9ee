import json
from pathlib import Path

import pytest

from distilcli.checkpoint import locate as module
from distilcli.checkpoint.locate import builtin_names, locate
from distilcli.errors import ModelError
from tests.checkpoint._files import write_model, write_safetensors

TENSORS = {"a": ("F32", (2,))}


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object, **__: object) -> Path:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr(module, "snapshot", asked)


@pytest.fixture
def builtin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "builtin"
    write_model(root / "sentiment", TENSORS)
    monkeypatch.setattr(module, "BUILTIN_ROOT", root)
    return root


def test_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_model(tmp_path / "mine", TENSORS)
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "./mine", "mine/", str(tmp_path / "mine")):
        assert locate(name).folder.resolve() == tmp_path / "mine"


def test_the_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_model(tmp_path / "mine", TENSORS)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert locate("~/mine").folder == tmp_path / "mine"


def test_a_builtin_model(builtin: Path) -> None:
    assert builtin_names() == ("sentiment",)
    files = locate("sentiment")
    assert (files.name, files.folder) == ("sentiment", builtin / "sentiment")
    assert files.weight_files == (builtin / "sentiment" / "model.safetensors",)


def test_a_builtin_model_uses_what_is_shared(builtin: Path) -> None:
    write_safetensors(builtin / "shared" / "words.safetensors", {"w": ("I8", (4,))})
    (builtin / "shared" / "tokenizer.json").touch()
    (builtin / "shared" / "vocab.txt").touch()
    (builtin / "sentiment" / "vocab.txt").touch()
    config = builtin / "sentiment" / "config.json"
    config.write_text(json.dumps({"shared_weights": "words.safetensors"}))
    files = locate("sentiment")
    assert [path.name for path in files.weight_files] == ["model.safetensors", "words.safetensors"]
    assert files.tokenizer_json == builtin / "shared" / "tokenizer.json"
    assert files.vocab_txt == builtin / "sentiment" / "vocab.txt"
    assert builtin_names() == ("sentiment",)


def test_only_a_model_folder_hides_a_builtin_model(
    builtin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sentiment").mkdir()
    assert locate("sentiment").folder == builtin / "sentiment"
    write_model(tmp_path / "sentiment", TENSORS)
    assert locate("sentiment").folder == Path("sentiment")


@pytest.mark.parametrize("name", ["sentment", "Sentiment", "sentiments"])
def test_a_misspelt_builtin_model_is_suggested(builtin: Path, name: str) -> None:
    with pytest.raises(ModelError, match="did you mean the built-in 'sentiment'"):
        locate(name)


@pytest.mark.parametrize("name", ["models/myne", "./models/myne", "models/myne/"])
def test_a_misspelt_folder_is_suggested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write_model(tmp_path / "models" / "mine", TENSORS)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"did you mean 'models.mine'\?"):
        locate(name)


@pytest.mark.parametrize("name", ["./x", "../x", "~/x", "/no/such", "a/b/c", "org/x/", "~nobody/x"])
def test_a_path_is_never_taken_for_a_hub_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=f"there is no folder '{name}'"):
        locate(name)


@pytest.mark.parametrize("name", ["", "two words", "org/x@", "@main", "org/x@../../main", "org/é"])
def test_what_cannot_be_a_model_name(name: str) -> None:
    with pytest.raises(ModelError, match="check its spelling"):
        locate(name)


def test_a_file_and_a_name_too_long(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(ModelError, match="is a file; give the folder that holds it"):
        locate(str(tmp_path / "model.safetensors"))
    with pytest.raises(ModelError, match="cannot be read"):
        locate("x" * 5000)


@pytest.mark.parametrize(
    ("name", "repo", "revision"),
    [
        ("org/x", "org/x", None),
        ("org/x@v1.0", "org/x", "v1.0"),
        ("org/x@refs/pr/1", "org/x", "refs/pr/1"),
        ("distilbert-base-uncased@main", "distilbert-base-uncased", "main"),
    ],
)
def test_the_rest_is_a_hub_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, repo: str, revision: str | None
) -> None:
    write_model(tmp_path, TENSORS)
    asked = []

    def snapshot(*args: object, offline: bool) -> Path:
        asked.append((*args, offline))
        return tmp_path

    monkeypatch.setattr(module, "snapshot", snapshot)
    files = locate(name, offline=True)
    assert asked == [(repo, revision, True)]
    assert (files.name, files.folder) == (name, tmp_path)
