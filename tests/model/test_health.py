import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from distilcli.checkpoint.locate import builtin_names, locate
from distilcli.errors import ModelError
from distilcli.model.health import check_model, require_sound
from distilcli.model.int8_storage import pack
from distilcli.model.keys import OUTPUT_TABLE

Make = Callable[..., Path]


def faults(folder: Path) -> set[tuple[str, str, str]]:
    found = check_model(locate(str(folder)))
    return {(fault.name, fault.fault, fault.detail) for fault in found}


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path)


@pytest.mark.parametrize("name", builtin_names())
def test_the_built_in_models_are_sound(name: str) -> None:
    assert check_model(locate(name)) == []


@pytest.mark.parametrize("model_type", ["distilbert", "bert"])
@pytest.mark.parametrize("head", ["SequenceClassifier", "MaskedLanguageModel", "QuestionAnswerer"])
@pytest.mark.parametrize("kept", ["fp32", "half", "packed", "pickle"])
def test_sound_models_in_every_form(
    make_model: Make, model_type: str, head: str, kept: str
) -> None:
    folder = make_model(head=head, model_type=model_type)
    if kept == "half":
        rewrite(folder, lambda w: {key: weight.half() for key, weight in w.items()})
    elif kept == "packed":
        rewrite(folder, pack)
    elif kept == "pickle":
        path = folder / "model.safetensors"
        torch.save(load_file(path), folder / "pytorch_model.bin")
        path.unlink()
    assert faults(folder) == set()


@pytest.mark.parametrize("pickled", [False, True])
def test_values_are_counted(make_model: Make, pickled: bool) -> None:
    folder = make_model()
    path = folder / "model.safetensors"
    weights = load_file(path)
    weights["classifier.weight"][0, :3] = torch.tensor([torch.nan, torch.inf, -torch.inf])
    if pickled:
        torch.save(weights, folder / "pytorch_model.bin")
        path.unlink()
    else:
        save_file(weights, path)
    name = "classifier.weight"
    assert faults(folder) == {(name, "NaN", "1 value"), (name, "infinite", "2 values")}


def test_names_and_shapes_are_compared(make_model: Make) -> None:
    folder = make_model()
    layer = "distilbert.transformer.layer."
    rewrite(
        folder,
        lambda w: (
            {key: weight for key, weight in w.items() if key != "pre_classifier.bias"}
            | {"classifier.bias": torch.zeros(3), f"{layer}2.x.weight": torch.zeros(1)}
            | {"qa_outputs.bias": torch.zeros(2), f"{layer}0.ffn.lin1.bias": torch.ones(64).char()}
        ),
    )
    assert faults(folder) == {
        ("pre_classifier.bias", "missing", "[32]"),
        ("classifier.bias", "other shape", "[3] instead of [2]"),
        (f"{layer}2.x.weight", "not in this architecture", "[1]"),
        ("qa_outputs.bias", "unused", "[2]"),
        (f"{layer}0.ffn.lin1.bias", "integers", "without scales"),
    }


def test_a_second_copy_of_tied_words_is_no_fault(make_model: Make) -> None:
    folder = make_model(head="MaskedLanguageModel")
    words = "distilbert.embeddings.word_embeddings.weight"
    rewrite(folder, lambda w: {**w, OUTPUT_TABLE: w[words].clone()})
    assert faults(folder) == set()


def test_without_an_architecture_the_encoder_alone_is_compared(make_model: Make) -> None:
    folder = make_model()
    config = json.loads((folder / "config.json").read_text())
    del config["architectures"]
    (folder / "config.json").write_text(json.dumps(config))
    assert faults(folder) == set()


def test_unused_tensors_alone_are_sound(make_model: Make) -> None:
    folder = make_model()
    rewrite(folder, lambda w: w | {"qa_outputs.bias": torch.zeros(2)})
    require_sound("m", check_model(locate(str(folder))))
    rewrite(folder, lambda w: w | {"classifier.bias": torch.full((2,), torch.nan)})
    with pytest.raises(ModelError, match=r"m: 1 fault in its weights: NaN \(classifier.bias\); d"):
        require_sound("m", check_model(locate(str(folder))))


def test_a_billion_layers_end(make_model: Make) -> None:
    folder = make_model()
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"n_layers": 10**9}))
    assert len(check_model(locate(str(folder)))) > 1_000


@pytest.mark.slow
def test_torch_is_loaded_for_pickles_only(tiny_folder: Path) -> None:
    code = (
        "import sys; from distilcli.app import main; "
        f"code = main(['params', {str(tiny_folder)!r}, '--check']); "
        "sys.exit(code or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
