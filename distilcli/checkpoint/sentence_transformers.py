"""The modules of a sentence-transformers folder, read and written without torch.

Such a folder is a model followed by the modules in `modules.json`: pooling of the hidden states
into one vector (`1_Pooling`), dense layers and normalization; and the prompts put before texts in
training (`config_sentence_transformers.json`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from distilcli.checkpoint.folder import PYTORCH_NAME, SAFETENSORS_NAME
from distilcli.checkpoint.json_file import JsonObject, read_json, read_object
from distilcli.errors import ModelError

MODULES_NAME = "modules.json"
SETTINGS_NAME = "config_sentence_transformers.json"
LENGTHS_NAME = "sentence_bert_config.json"
SENTENCE_NAMES = (MODULES_NAME, SETTINGS_NAME, LENGTHS_NAME)
"""The files that sentence-transformers adds to those of a model."""

# The switches of older folders, in the order in which their vectors are concatenated.
_SWITCHES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean-sqrt",
    "pooling_mode_weightedmean_tokens": "weighted",
    "pooling_mode_lasttoken": "last-token",
}
_MODES = {
    "cls": "cls",
    "max": "max",
    "mean": "mean",
    "mean_sqrt_len_tokens": "mean-sqrt",
    "weightedmean": "weighted",
    "lasttoken": "last-token",
}
_ACTIVATIONS = {"Tanh": "tanh", "Identity": "identity", "ReLU": "relu", "GELU": "gelu"}


@dataclass(frozen=True, slots=True)
class DenseLayer:
    """A linear layer after pooling: the path of its weights and the name of its activation."""

    path: Path
    activation: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SentenceRecipe:
    """How texts become vectors; the defaults are those of a plain model.

    `pooling` names the modes whose vectors are concatenated. `max_length` includes special
    tokens. A prompt is pooled unless `pools_prompt` is false.
    """

    pooling: tuple[str, ...] = ("mean",)
    pools_prompt: bool = True
    dense: tuple[DenseLayer, ...] = ()
    normalizes: bool = False
    max_length: int | None = None
    lowercases: bool | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt: str | None = None


def sentence_files(folder: Path) -> tuple[str, ...]:
    """Return the names of the files that the modules of `folder` may have."""
    if not (folder / MODULES_NAME).is_file():
        return ()
    parts = [module["path"] for module in _modules(folder)[1:] if module["path"]]
    weights = (SAFETENSORS_NAME, PYTORCH_NAME)
    return tuple(f"{part}/{name}" for part in parts for name in ("config.json", *weights))


def read_recipe(folder: Path) -> SentenceRecipe:
    """Read the recipe of a model folder; without `modules.json` it is the default.

    Raises `ModelError` for an unsupported module or a broken file.
    """
    if not (folder / MODULES_NAME).is_file():
        return SentenceRecipe()
    settings: JsonObject = {}
    dense: list[DenseLayer] = []
    for module in _modules(folder)[1:]:
        kind = module["type"].rpartition(".")[2]
        path = folder / module["path"]
        if settings.get("normalizes"):
            raise ModelError(f"{folder / MODULES_NAME}: the module {kind} comes after Normalize")
        if kind == "Pooling":
            if dense:
                raise ModelError(f"{folder / MODULES_NAME}: the module Pooling comes after Dense")
            settings |= _pooling(path / "config.json")
        elif kind == "Dense":
            dense.append(_dense(path))
        elif kind == "Normalize":
            settings["normalizes"] = True
        elif kind != "Dropout":  # it does nothing outside training
            raise ModelError(
                f"{folder / MODULES_NAME}: has the module {kind}; supported are Pooling, Dense and "
                "Normalize"
            )
    return SentenceRecipe(dense=tuple(dense), **settings, **_lengths(folder), **_prompts(folder))


def recipe_files(recipe: SentenceRecipe, *, dim: int) -> JsonObject:
    """Return the JSON files of `recipe` by their paths in a model's folder.

    `dim` is the width of the hidden states. Several poolings are concatenated in the order of
    sentence-transformers, whatever their order in `recipe`.
    """
    kinds = ["Transformer", "Pooling", *(["Normalize"] if recipe.normalizes else [])]
    modules = [
        {
            "idx": number,
            "name": str(number),
            "path": f"{number}_{kind}" if number else "",
            "type": f"sentence_transformers.models.{kind}",
        }
        for number, kind in enumerate(kinds)
    ]
    switches = {switch: ours in recipe.pooling for switch, ours in _SWITCHES.items()}
    return {
        MODULES_NAME: modules,
        "1_Pooling/config.json": {
            "word_embedding_dimension": dim,
            **switches,
            "include_prompt": recipe.pools_prompt,
        },
        LENGTHS_NAME: {
            "max_seq_length": recipe.max_length,
            "do_lower_case": recipe.lowercases is True,
        },
        SETTINGS_NAME: {
            "prompts": dict(recipe.prompts),
            "default_prompt_name": recipe.default_prompt,
            "similarity_fn_name": "cosine",
        },
    }


def _modules(folder: Path) -> list[dict[str, str]]:
    path = folder / MODULES_NAME
    modules = read_json(path)
    if not isinstance(modules, list) or not modules:
        raise ModelError(f"{path}: not a list of modules; download it again")
    for module in modules:
        named = isinstance(module, dict) and isinstance(module.get("type"), str)
        inside = module.get("path") if named else None
        if not isinstance(inside, str) or Path(inside).is_absolute() or ".." in Path(inside).parts:
            raise ModelError(f"{path}: every module needs a type and a path inside the folder")
    first = modules[0]
    if first["type"].rpartition(".")[2] != "Transformer" or first["path"]:
        raise ModelError(
            f"{path}: its first module is {first['type']!r} in {first['path'] or '.'!r}; "
            "expected a Transformer in the folder itself"
        )
    return modules


def _pooling(path: Path) -> JsonObject:
    raw = read_object(path)
    mode = raw.get("pooling_mode")
    if mode is None:
        found = [ours for switch, ours in _SWITCHES.items() if raw.get(switch) is True]
    else:
        theirs = mode if isinstance(mode, list) else [mode]
        if unknown := [name for name in theirs if str(name) not in _MODES]:
            known = ", ".join(_MODES)
            raise ModelError(f"{path}: pooling_mode {unknown[0]!r} is not one of {known}")
        found = [_MODES[name] for name in theirs]
    if not found:
        raise ModelError(f"{path}: names no known pooling mode")
    return {"pooling": tuple(found), "pools_prompt": raw.get("include_prompt", True) is not False}


def _dense(folder: Path) -> DenseLayer:
    raw = read_object(folder / "config.json")
    name = str(raw.get("activation_function", "torch.nn.modules.activation.Tanh"))
    activation = _ACTIVATIONS.get(name.rpartition(".")[2])
    if activation is None:
        known = ", ".join(_ACTIVATIONS)
        raise ModelError(f"{folder / 'config.json'}: activation {name!r} is not one of {known}")
    if raw.get("use_residual"):
        raise ModelError(f"{folder / 'config.json'}: use_residual is not supported")
    if raw.get("module_input_name", "sentence_embedding") != "sentence_embedding":
        raise ModelError(f"{folder / 'config.json'}: only a Dense after the pooling is supported")
    for weights in (SAFETENSORS_NAME, PYTORCH_NAME):
        if (folder / weights).is_file():
            return DenseLayer(folder / weights, activation)
    raise ModelError(f"{folder}: the Dense layer has no weights ({SAFETENSORS_NAME})")


def _lengths(folder: Path) -> JsonObject:
    path = folder / LENGTHS_NAME
    raw = read_object(path) if path.is_file() else {}
    length = raw.get("max_seq_length")
    return {
        "max_length": length if type(length) is int and length > 0 else None,
        # False is the default and leaves it to the tokenizer.
        "lowercases": True if raw.get("do_lower_case") is True else None,
    }


def _prompts(folder: Path) -> JsonObject:
    path = folder / SETTINGS_NAME
    raw = read_object(path) if path.is_file() else {}
    prompts = raw.get("prompts") or {}
    if not isinstance(prompts, dict) or not all(isinstance(text, str) for text in prompts.values()):
        raise ModelError(f"{path}: prompts must map names to texts")
    default = raw.get("default_prompt_name")
    if default is not None and (not isinstance(default, str) or default not in prompts):
        raise ModelError(f"{path}: default_prompt_name {default!r} is not one of its prompts")
    return {"prompts": prompts, "default_prompt": default}
