import json
from pathlib import Path
from typing import Any

import pytest

from distilcli.checkpoint.sentence_transformers import (
    SentenceRecipe,
    Step,
    read_recipe,
    sentence_files,
)
from distilcli.errors import ModelError

TRANSFORMER = {"type": "sentence_transformers.models.Transformer", "path": ""}


def module(name: str, path: str | None = None) -> dict[str, str]:
    return {
        "type": f"sentence_transformers.models.{name}",
        "path": f"1_{name}" if path is None else path,
    }


def write(folder: Path, modules: object, **files: object) -> Path:
    """A folder with these modules and files; a name's two underscores are a slash."""
    (folder / "modules.json").write_text(json.dumps(modules))
    for name, content in files.items():
        path = folder / f"{name.replace('__', '/')}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def pooling_of(folder: Path, config: object) -> SentenceRecipe:
    modules = [TRANSFORMER, module("Pooling", "1_Pooling")]
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps(config))
    return read_recipe(write(folder, modules))


def dense_of(folder: Path, weights: str = "model.safetensors", **config: object) -> SentenceRecipe:
    write(folder, [TRANSFORMER, module("Dense")], **{"1_Dense__config": config})
    (folder / "1_Dense" / weights).write_bytes(b"")
    return read_recipe(folder)


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_recipe(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


def test_a_plain_model_gets_the_mean(tmp_path: Path) -> None:
    assert read_recipe(tmp_path) == SentenceRecipe(pooling=("mean",), normalizes=False)
    assert sentence_files(tmp_path) == ()


@pytest.mark.parametrize(
    ("switch", "mode"),
    [
        ("cls_token", "cls"),
        ("max_tokens", "max"),
        ("mean_tokens", "mean"),
        ("mean_sqrt_len_tokens", "mean-sqrt"),
        ("weightedmean_tokens", "weighted"),
        ("lasttoken", "last-token"),
    ],
)
def test_switches(tmp_path: Path, switch: str, mode: str) -> None:
    config = {"pooling_mode_mean_tokens": False, f"pooling_mode_{switch}": True}
    assert pooling_of(tmp_path, config).pooling == (mode,)


def test_several_switches_stand_in_the_order_of_the_library(tmp_path: Path) -> None:
    config = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}
    assert pooling_of(tmp_path, config).pooling == ("cls", "mean")


@pytest.mark.parametrize(
    ("mode", "modes"),
    [
        ("mean", ("mean",)),
        ("lasttoken", ("last-token",)),
        (["weightedmean", "cls"], ("weighted", "cls")),
        (["mean_sqrt_len_tokens"], ("mean-sqrt",)),
    ],
)
def test_named_modes_keep_their_order(tmp_path: Path, mode: object, modes: tuple[str, ...]) -> None:
    assert pooling_of(tmp_path, {"pooling_mode": mode}).pooling == modes


@pytest.mark.parametrize("mode", ["median", ["mean", "median"], 3, [["mean"]], [], {}])
def test_a_mode_that_is_unknown_is_refused(tmp_path: Path, mode: object) -> None:
    with pytest.raises(ModelError, match="1_Pooling"):
        pooling_of(tmp_path, {"pooling_mode": mode})


def test_no_mode_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="names no known pooling mode"):
        pooling_of(tmp_path, {"pooling_mode_mean_tokens": False})


def test_whether_the_prompt_is_pooled(tmp_path: Path) -> None:
    assert not pooling_of(tmp_path, {"pooling_mode": "mean", "include_prompt": False}).pools_prompt


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_dense(tmp_path: Path, weights: str) -> None:
    activation = "torch.nn.modules.linear.Identity"
    (step,) = dense_of(tmp_path, weights, activation_function=activation).steps
    assert step == Step(kind="Dense", path=tmp_path / "1_Dense" / weights, activation="Identity")


def test_the_usual_activation_of_dense_is_tanh(tmp_path: Path) -> None:
    assert dense_of(tmp_path).steps[0].activation == "Tanh"


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"activation_function": "torch.nn.modules.activation.PReLU"}, "PReLU"),
        ({"activation_function": "mine.SiLU"}, "mine.SiLU"),
        ({"activation_function": "Tanh"}, "'Tanh' is not one of"),
        ({"module_input_name": "token_embeddings"}, "after the pooling"),
        ({"module_output_name": "other"}, "after the pooling"),
    ],
)
def test_dense_layers_that_are_not_run(tmp_path: Path, config: dict[str, Any], why: str) -> None:
    with pytest.raises(ModelError, match=why):
        dense_of(tmp_path, **config)


def test_dense_without_weights(tmp_path: Path) -> None:
    folder = write(tmp_path, [TRANSFORMER, module("Dense")], **{"1_Dense__config": {}})
    assert "no weights" in refusal(folder)


def test_the_whole_chain(tmp_path: Path) -> None:
    modules = [
        TRANSFORMER,
        module("Pooling"),
        module("Dropout"),
        module("Dense"),
        module("Normalize"),
    ]
    write(
        tmp_path,
        modules,
        **{"1_Pooling__config": {"pooling_mode": "cls"}, "1_Dense__config": {}},
        sentence_bert_config={"max_seq_length": 256, "do_lower_case": True},
        config_sentence_transformers={
            "prompts": {"query": "q: ", "passage": "p: "},
            "default_prompt_name": "passage",
        },
    )
    (tmp_path / "1_Dense/model.safetensors").write_bytes(b"")
    recipe = read_recipe(tmp_path)
    assert recipe.pooling == ("cls",)
    assert [step.kind for step in recipe.steps] == ["Dense"]
    assert recipe.normalizes
    assert (recipe.max_length, recipe.lowercases) == (256, True)
    assert recipe.prompts == {"query": "q: ", "passage": "p: "}
    assert recipe.default_prompt == "passage"
    names = sentence_files(tmp_path)
    assert {"1_Pooling/config.json", "1_Dense/model.safetensors"} <= set(names)


@pytest.mark.parametrize("length", [None, 0, -1, "8", True, 2.5])
def test_a_length_that_is_none_is_left_to_the_tokenizer(tmp_path: Path, length: object) -> None:
    lengths = {"max_seq_length": length, "do_lower_case": False}
    recipe = read_recipe(write(tmp_path, [TRANSFORMER], sentence_bert_config=lengths))
    assert (recipe.max_length, recipe.lowercases) == (None, None)


@pytest.mark.parametrize(
    ("modules", "why"),
    [
        ([], "not a list of modules"),
        ({}, "not a list of modules"),
        ([TRANSFORMER, {"type": "a.Pooling"}], "a type and a path"),
        ([TRANSFORMER, "Pooling"], "a type and a path"),
        ([TRANSFORMER, {"path": "x"}], "a type and a path"),
        ([TRANSFORMER, module("Pooling", "../elsewhere")], "inside the folder"),
        ([TRANSFORMER, module("Pooling", "a/../../b")], "inside the folder"),
        ([TRANSFORMER, module("Pooling", "/etc")], "inside the folder"),
        ([TRANSFORMER, module("LSTM")], "the module LSTM"),
        ([TRANSFORMER, module("WordWeights"), module("Pooling")], "the module WordWeights"),
        ([TRANSFORMER, module("WeightedLayerPooling")], "the module WeightedLayerPooling"),
        ([TRANSFORMER, module("Normalize"), module("Pooling")], "Pooling comes after Normalize"),
        ([TRANSFORMER, module("LayerNorm")], "LayerNorm layer has no weights"),
        ([module("WordEmbeddings", "")], "WordEmbeddings"),
        ([TRANSFORMER, module("Pooling")], "no such file"),
        ([TRANSFORMER, module("Dense")], "no such file"),
    ],
)
def test_chains_that_are_not_run(tmp_path: Path, modules: object, why: str) -> None:
    assert why in refusal(write(tmp_path, modules))


def test_pooling_after_dense_is_refused(tmp_path: Path) -> None:
    modules = [TRANSFORMER, module("Dense"), module("Pooling")]
    write(tmp_path, modules, **{"1_Dense__config": {}})
    (tmp_path / "1_Dense/model.safetensors").write_bytes(b"")
    assert "Pooling comes after Dense" in refusal(tmp_path)


@pytest.mark.parametrize("broken", ["", "[", "[1,", "[" * 100_000, '{"a": '])
@pytest.mark.parametrize(
    "name", ["modules", "1_Pooling/config", "sentence_bert_config", "config_sentence_transformers"]
)
def test_broken_json(tmp_path: Path, name: str, broken: str) -> None:
    write(
        tmp_path,
        [TRANSFORMER, module("Pooling")],
        **{"1_Pooling__config": {"pooling_mode": "mean"}},
    )
    (tmp_path / f"{name}.json").write_text(broken)
    assert f"{name}.json" in refusal(tmp_path)


def test_what_is_no_object(tmp_path: Path) -> None:
    assert "not a JSON object" in refusal(write(tmp_path, [TRANSFORMER], sentence_bert_config=[1]))


def test_what_is_no_utf8(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_bytes(b"\xff\xfe")
    assert "line 1: byte 0xff is not UTF-8" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"prompts": ["a"]}, "must map names to texts"),
        ({"prompts": {"a": 1}}, "must map names to texts"),
        ({"default_prompt_name": "query"}, "'query' is not one of its prompts"),
        ({"prompts": {"a": ""}, "default_prompt_name": ["a"]}, "not one of its prompts"),
    ],
)
def test_prompts_that_are_none(tmp_path: Path, settings: dict[str, Any], why: str) -> None:
    write(tmp_path, [TRANSFORMER], config_sentence_transformers=settings)
    assert why in refusal(tmp_path)


def test_layers_after_normalization(tmp_path: Path) -> None:
    modules = [TRANSFORMER, module("Normalize"), module("LayerNorm"), module("Dense")]
    write(tmp_path, modules, **{"1_Dense__config": {"use_residual": True}, "1_LayerNorm__x": {}})
    for name in ("Dense", "LayerNorm"):
        (tmp_path / f"1_{name}" / "model.safetensors").write_bytes(b"")
    recipe = read_recipe(tmp_path)
    assert [step.kind for step in recipe.steps] == ["Normalize", "LayerNorm", "Dense"]
    assert recipe.steps[2].residual
    assert not recipe.normalizes


def test_truncated_vectors_are_not_normalized_again(tmp_path: Path) -> None:
    settings = {"truncate_dim": 8}
    write(tmp_path, [TRANSFORMER, module("Normalize")], config_sentence_transformers=settings)
    recipe = read_recipe(tmp_path)
    assert recipe.steps == (Step(kind="Normalize"), Step(kind="truncate_dim", dims=8))
    assert not recipe.normalizes


@pytest.mark.parametrize("dims", [0, -1, "8", True, 2.5])
def test_a_truncate_dim_that_is_none(tmp_path: Path, dims: object) -> None:
    write(tmp_path, [TRANSFORMER], config_sentence_transformers={"truncate_dim": dims})
    assert "truncate_dim is" in refusal(tmp_path)


@pytest.mark.parametrize("key", ["tokenizer_args", "processor_kwargs"])
def test_settings_of_the_tokenizer(tmp_path: Path, key: str) -> None:
    lengths = {key: {"do_lower_case": False}}
    assert read_recipe(write(tmp_path, [TRANSFORMER], sentence_bert_config=lengths)).tokenizer == {
        "do_lower_case": False
    }
    write(tmp_path, [TRANSFORMER], sentence_bert_config={key: ["x"]})
    assert f"{key} is ['x']; it must be an object" in refusal(tmp_path)


@pytest.mark.parametrize("key", ["model_args", "model_kwargs", "config_args", "config_kwargs"])
def test_settings_of_the_model_that_change_numbers(tmp_path: Path, key: str) -> None:
    config = {"activation": "relu"}
    for settings in ({"torch_dtype": "float16", "trust_remote_code": True}, config, {}, None):
        write(tmp_path, [TRANSFORMER], sentence_bert_config={key: settings}, config=config)
        assert read_recipe(tmp_path) == SentenceRecipe()
    for settings in ({"activation": "gelu"}, {"n_layers": 3}):
        write(tmp_path, [TRANSFORMER], sentence_bert_config={key: settings}, config=config)
        (name,) = settings
        assert f"{key} sets {name} to " in refusal(tmp_path)
    write(tmp_path, [TRANSFORMER], sentence_bert_config={key: ["x"]})
    assert f"{key} is ['x']; it must be an object" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["sentence_bert_config", "sentence_distilbert_config"])
def test_the_old_layout_has_its_lengths_in_the_folder_of_the_model(
    tmp_path: Path, name: str
) -> None:
    transformer = TRANSFORMER | {"path": "0_Transformer"}
    write(tmp_path, [transformer], **{f"0_Transformer__{name}": {"max_seq_length": 9}})
    assert read_recipe(tmp_path).max_length == 9
