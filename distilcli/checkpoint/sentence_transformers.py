"""The modules of a sentence-transformers folder, read and written without torch.

Such a folder is a model followed by the modules in `modules.json`: pooling of the hidden states
into one vector (`1_Pooling`), dense layers and normalization; and the prompts put before texts in
training (`config_sentence_transformers.json`). The model is in the folder itself, in old folders
in `0_Transformer`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from distilcli.checkpoint.folder import CONFIG_NAME, PYTORCH_NAME, SAFETENSORS_NAME
from distilcli.checkpoint.json_file import JsonObject, read_json, read_object
from distilcli.errors import ModelError

MODULES_NAME = "modules.json"
SETTINGS_NAME = "config_sentence_transformers.json"
LENGTHS_NAME = "sentence_bert_config.json"
_LENGTHS_NAMES = (LENGTHS_NAME, "sentence_distilbert_config.json")
SENTENCE_NAMES = (MODULES_NAME, SETTINGS_NAME, *_LENGTHS_NAMES)
"""The files that sentence-transformers adds to those of a model."""

# our name, that of a folder, and the switch of an older one, in the order of concatenation
_MODES = (
    ("cls", "cls", "cls_token"),
    ("max", "max", "max_tokens"),
    ("mean", "mean", "mean_tokens"),
    ("mean-sqrt", "mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
    ("weighted", "weightedmean", "weightedmean_tokens"),
    ("last-token", "lasttoken", "lasttoken"),
)
_OURS = {theirs: ours for ours, theirs, _ in _MODES}
_SWITCHES = {f"pooling_mode_{switch}": ours for ours, _, switch in _MODES}
_ACTIVATIONS = (
    *("CELU", "ELU", "GELU", "Hardsigmoid", "Hardswish", "Hardtanh", "Identity", "LeakyReLU"),
    *("LogSigmoid", "Mish", "ReLU", "ReLU6", "SELU", "Sigmoid", "SiLU", "Softplus", "Softsign"),
    *("Tanh", "Tanhshrink"),
)
"""Classes of torch.nn that work element by element, without settings."""

_LOADING = {
    *("attn_implementation", "cache_dir", "device_map", "dtype", "local_files_only"),
    *("low_cpu_mem_usage", "output_attentions", "output_hidden_states", "return_dict", "revision"),
    *("token", "torch_dtype", "trust_remote_code", "use_auth_token", "use_safetensors"),
}
"""Settings for how a model is loaded; they change nothing but the precision of numbers."""

StepKind = Literal["Dense", "LayerNorm", "Normalize", "truncate_dim"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A step after pooling.

    `path` is the file of its weights, `activation` a dense layer's class in torch.nn, `residual`
    whether its input is added to its output, `dims` how many dimensions remain.
    """

    kind: StepKind
    path: Path = Path()
    activation: str = "Identity"
    residual: bool = False
    dims: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class SentenceRecipe:
    """How texts become vectors; the defaults are those of a plain model.

    `pooling` names the modes whose vectors are concatenated; `steps` follow, and then
    normalization. `max_length` includes special tokens. A prompt is pooled unless `pools_prompt`
    is false. `tokenizer` are settings that override those of the tokenizer's files.
    """

    pooling: tuple[str, ...] = ("mean",)
    pools_prompt: bool = True
    steps: tuple[Step, ...] = ()
    normalizes: bool = False
    max_length: int | None = None
    lowercases: bool | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt: str | None = None
    tokenizer: Mapping[str, object] = field(default_factory=dict)


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
    transformer, *modules = _modules(folder)
    settings: JsonObject = {**_lengths(folder / transformer["path"]), **_prompts(folder)}
    steps: list[Step] = []
    for module in modules:
        kind = module["type"].rpartition(".")[2]
        path = folder / module["path"]
        if kind == "Pooling":
            if steps:
                raise ModelError(
                    f"{folder / MODULES_NAME}: the module Pooling comes after {steps[-1].kind}"
                )
            settings |= _pooling(path / "config.json")
        elif kind == "Dense":
            steps.append(_dense(path))
        elif kind == "LayerNorm":
            steps.append(Step(kind="LayerNorm", path=_weights(path, "LayerNorm")))
        elif kind == "Normalize":
            config = path / "config.json"
            _refuse_other_inputs(read_object(config) if config.is_file() else {}, config, kind)
            steps.append(Step(kind="Normalize"))
        elif kind != "Dropout":  # it does nothing outside training
            raise ModelError(
                f"{folder / MODULES_NAME}: has the module {kind}; supported are Pooling, Dense, "
                "LayerNorm and Normalize"
            )
    dims = _truncate_dim(folder)
    if dims is not None:
        steps.append(Step(kind="truncate_dim", dims=dims))
    normalizes = bool(steps) and steps[-1].kind == "Normalize"
    return SentenceRecipe(
        steps=tuple(steps[:-1] if normalizes else steps), normalizes=normalizes, **settings
    )


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
    if first["type"].rpartition(".")[2] != "Transformer":
        raise ModelError(
            f"{path}: its first module is {first['type']!r} in {first['path'] or '.'!r}; "
            "expected a Transformer"
        )
    return modules


def _pooling(path: Path) -> JsonObject:
    raw = read_object(path)
    mode = raw.get("pooling_mode")
    if mode is None:
        found = [ours for switch, ours in _SWITCHES.items() if raw.get(switch) is True]
    else:
        theirs = mode if isinstance(mode, list) else [mode]
        if unknown := [name for name in theirs if str(name) not in _OURS]:
            known = ", ".join(_OURS)
            raise ModelError(f"{path}: pooling_mode {unknown[0]!r} is not one of {known}")
        found = [_OURS[name] for name in theirs]
    if not found:
        raise ModelError(f"{path}: names no known pooling mode")
    return {"pooling": tuple(found), "pools_prompt": raw.get("include_prompt", True) is not False}


def _dense(folder: Path) -> Step:
    path = folder / "config.json"
    raw = read_object(path)
    _refuse_other_inputs(raw, path, "Dense")
    name = str(raw.get("activation_function", "torch.nn.modules.activation.Tanh"))
    package, _, activation = name.rpartition(".")
    if not package.startswith("torch.") or activation not in _ACTIVATIONS:
        known = ", ".join(_ACTIVATIONS)
        raise ModelError(f"{path}: activation {name!r} is not one of {known}")
    return Step(
        kind="Dense",
        path=_weights(folder, "Dense"),
        activation=activation,
        residual=bool(raw.get("use_residual")),
    )


def _refuse_other_inputs(raw: JsonObject, path: Path, kind: str) -> None:
    """Refuse a module that does not map the pooled vector to another one."""
    for key in ("module_input_name", "module_output_name"):
        if raw.get(key) not in {None, "sentence_embedding"}:
            raise ModelError(f"{path}: only a {kind} after the pooling is supported")


def _weights(folder: Path, kind: StepKind) -> Path:
    for name in (SAFETENSORS_NAME, PYTORCH_NAME):
        if (folder / name).is_file():
            return folder / name
    raise ModelError(f"{folder}: the {kind} layer has no weights ({SAFETENSORS_NAME})")


def _truncate_dim(folder: Path) -> int | None:
    """Return the dimensions that remain of a vector; None for all."""
    path = folder / SETTINGS_NAME
    dims = read_object(path).get("truncate_dim") if path.is_file() else None
    if dims is None or (type(dims) is int and dims > 0):
        return dims
    raise ModelError(f"{path}: truncate_dim is {dims!r}; it must be a whole number above 0")


def _lengths(folder: Path) -> JsonObject:
    """Read how texts are cut and tokenized from the settings of the Transformer in `folder`."""
    path = next((p for name in _LENGTHS_NAMES if (p := folder / name).is_file()), None)
    raw = {} if path is None else read_object(path)
    length = raw.get("max_seq_length")
    tokenizer: JsonObject = {}
    for key in ("tokenizer_args", "processor_kwargs"):
        settings = raw.get(key) or {}
        if not isinstance(settings, dict):
            raise ModelError(f"{path}: {key} is {settings!r}; it must be an object")
        tokenizer |= settings
    _refuse_other_config(raw, folder, path)
    return {
        "tokenizer": tokenizer,
        "max_length": length if type(length) is int and length > 0 else None,
        # False is the default and leaves it to the tokenizer.
        "lowercases": True if raw.get("do_lower_case") is True else None,
    }


def _refuse_other_config(raw: JsonObject, folder: Path, path: Path | None) -> None:
    """Refuse settings of the model itself that differ from its `config.json`."""
    for key in ("model_args", "model_kwargs", "config_args", "config_kwargs"):
        settings = raw.get(key) or {}
        if not isinstance(settings, dict):
            raise ModelError(f"{path}: {key} is {settings!r}; it must be an object")
        others = {name: value for name, value in settings.items() if name not in _LOADING}
        config = read_object(folder / CONFIG_NAME) if others else {}
        for name, value in others.items():
            if config.get(name) != value:
                raise ModelError(
                    f"{path}: {key} sets {name} to {value!r}, which {CONFIG_NAME} does not; write "
                    "it there"
                )


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
