import json
from pathlib import Path

import pytest

from distilcli.checkpoint.folder import describe_folder
from distilcli.errors import ModelError
from tests.checkpoint._files import write_model, write_safetensors

TENSORS = {"a": ("F32", (2,))}


def test_a_whole_folder(tmp_path: Path) -> None:
    write_model(tmp_path, TENSORS)
    for name in ("tokenizer.json", "vocab.txt", "tokenizer_config.json"):
        (tmp_path / name).touch()
    files = describe_folder("m", tmp_path)
    assert (files.name, files.folder) == ("m", tmp_path)
    assert files.weight_files == (tmp_path / "model.safetensors",)
    assert files.config_path == tmp_path / "config.json"
    assert files.tokenizer_json == tmp_path / "tokenizer.json"
    assert files.vocab_txt == tmp_path / "vocab.txt"
    assert files.tokenizer_config == tmp_path / "tokenizer_config.json"


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    files = describe_folder("m", write_model(tmp_path, TENSORS))
    assert (files.tokenizer_json, files.vocab_txt, files.tokenizer_config) == (None, None, None)


def test_safetensors_come_before_a_pickle(tmp_path: Path) -> None:
    write_model(tmp_path, TENSORS)
    (tmp_path / "pytorch_model.bin").touch()
    assert describe_folder("m", tmp_path).weight_files == (tmp_path / "model.safetensors",)
    (tmp_path / "model.safetensors").unlink()
    assert describe_folder("m", tmp_path).weight_files == (tmp_path / "pytorch_model.bin",)


def _shards(folder: Path, *present: str) -> Path:
    (folder / "config.json").write_text("{}")
    weight_map = {"a": "model-1.safetensors", "b": "model-2.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    for name in present:
        write_safetensors(folder / name, TENSORS)
    return folder


def test_shards(tmp_path: Path) -> None:
    names = ("model-1.safetensors", "model-2.safetensors")
    files = describe_folder("m", _shards(tmp_path, *names))
    assert files.weight_files == tuple(tmp_path / name for name in names)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"names model-2\.safetensors, which is not there"):
        describe_folder("m", _shards(tmp_path, "model-1.safetensors"))


def test_a_folder_that_is_no_model_says_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no config\.json .*the folder is empty"):
        describe_folder("m", tmp_path)
    for number in range(12):
        (tmp_path / f"{number:02}.csv").touch()
    with pytest.raises(ModelError, match=r"it holds 00\.csv, .*07\.csv and 4 more"):
        describe_folder("m", tmp_path)


def test_a_folder_without_weights_says_what_is_expected(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"model\.safetensors.*pytorch_model\.bin.*config\.json"):
        describe_folder("m", tmp_path)


def test_an_unfinished_run_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "training_state.pt").touch()
    with pytest.raises(ModelError, match="an unfinished training run; go on with it: distil finet"):
        describe_folder("m", tmp_path)


def test_a_folder_of_checkpoints_names_the_last(tmp_path: Path) -> None:
    for name in ("checkpoint-500", "checkpoint-1000", "checkpoint-60"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    (tmp_path / "runs").mkdir()
    with pytest.raises(ModelError) as caught:
        describe_folder("m", tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: no config.json here, but in checkpoint-1000, checkpoint-500, checkpoint-60; "
        f"give {tmp_path / 'checkpoint-1000'}"
    )


@pytest.mark.parametrize("inside", ["checkpoint-500", "checkpoints/checkpoint-500"])
@pytest.mark.parametrize("has_config", [True, False])
def test_a_folder_of_one_checkpoint_names_it(tmp_path: Path, inside: str, has_config: bool) -> None:
    write_model(tmp_path / inside, TENSORS)
    if has_config:
        (tmp_path / "config.json").write_text("{}")
    (tmp_path / "1_Pooling").mkdir()
    with pytest.raises(ModelError, match=f"in {inside}; give {tmp_path / inside}$"):
        describe_folder("m", tmp_path)


def test_shards_of_pickles(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    names = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]
    index = {"weight_map": {"a": names[1], "b": names[0], "c": names[0]}}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    (tmp_path / names[0]).touch()
    with pytest.raises(ModelError, match=f"names {names[1]}, which is not there"):
        describe_folder("m", tmp_path)
    (tmp_path / names[1]).touch()
    assert describe_folder("m", tmp_path).weight_files == tuple(tmp_path / name for name in names)


def test_the_old_layout_of_sentence_transformers(tmp_path: Path) -> None:
    inside = write_model(tmp_path / "0_Transformer", TENSORS)
    (inside / "vocab.txt").touch()
    files = describe_folder("m", tmp_path)
    assert (files.folder, files.config_path) == (tmp_path, inside / "config.json")
    assert files.weight_files == (inside / "model.safetensors",)
    assert files.vocab_txt == inside / "vocab.txt"
