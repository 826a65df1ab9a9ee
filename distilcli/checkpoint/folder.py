"""A model folder: the files of its configuration, weights and tokenizer."""

import re
from dataclasses import asdict, dataclass
from pathlib import Path

from distilcli.checkpoint.safetensors_header import INDEX_NAME, read_shard_index
from distilcli.errors import ModelError
from distilcli.wording import listing

CONFIG_NAME = "config.json"
SAFETENSORS_NAME = "model.safetensors"
PYTORCH_NAME = "pytorch_model.bin"
STATE_NAME = "training_state.pt"
"""The state of an interrupted training run; a finished run removes it."""
PYTORCH_INDEX_NAME = "pytorch_model.bin.index.json"
WEIGHT_NAMES = (SAFETENSORS_NAME, INDEX_NAME, PYTORCH_NAME, PYTORCH_INDEX_NAME)
"""The file names of weights, in order of preference."""


TOKENIZER_NAMES = (
    *("tokenizer.json", "vocab.txt", "tokenizer_config.json", "special_tokens_map.json"),
    "added_tokens.json",
)
"""The files of a tokenizer in a model's folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerFiles:
    """The files of a model's tokenizer, None if missing; `name` is what the user called it."""

    name: str
    folder: Path
    config_path: Path | None
    tokenizer_json: Path | None
    vocab_txt: Path | None
    tokenizer_config: Path | None
    special_tokens_map: Path | None
    added_tokens: Path | None

    @property
    def tokenizer_files(self) -> list[Path]:
        """The files that make up the tokenizer."""
        found = (
            *(self.tokenizer_json, self.vocab_txt, self.tokenizer_config),
            *(self.special_tokens_map, self.added_tokens),
        )
        return [path for path in found if path is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFiles(TokenizerFiles):
    """The files of one model and its tokenizer."""

    weight_files: tuple[Path, ...]
    config_path: Path


def describe_tokenizer(name: str, folder: Path, *, beside: Path | None = None) -> TokenizerFiles:
    """Find the files of the tokenizer in `folder`, else in `beside`; none is required."""

    def find(file_name: str) -> Path | None:
        paths = (model_folder(folder) / file_name, (beside or folder) / file_name)
        return next((path for path in paths if path.is_file()), None)

    return TokenizerFiles(
        name=name,
        folder=folder,
        config_path=find(CONFIG_NAME),
        tokenizer_json=find("tokenizer.json"),
        vocab_txt=find("vocab.txt"),
        tokenizer_config=find("tokenizer_config.json"),
        special_tokens_map=find("special_tokens_map.json"),
        added_tokens=find("added_tokens.json"),
    )


def describe_folder(name: str, folder: Path, *, beside: Path | None = None) -> ModelFiles:
    """Find the files of the model in `folder`; its tokenizer may be in the folder `beside`.

    Raises `ModelError` without a config.json, without weights, or if a shard is missing.
    """
    config_path = model_folder(folder) / CONFIG_NAME
    if not config_path.is_file():
        raise ModelError(f"{folder}: {_not_a_model(folder)}")
    weight_files = find_weights(config_path.parent)
    if not weight_files:
        expected = ", ".join(WEIGHT_NAMES)
        inside = _models_inside(folder) or _content(folder)
        raise ModelError(f"{folder}: no weights (one of {expected}); {inside}")
    if missing := [path.name for path in weight_files if not path.is_file()]:
        raise ModelError(
            f"{folder}: the index of its weights names {listing(missing)}, which is not there; "
            "download every shard"
        )

    tokenizer = asdict(describe_tokenizer(name, folder, beside=beside))
    return ModelFiles(**tokenizer | {"weight_files": weight_files, "config_path": config_path})


def model_folder(folder: Path) -> Path:
    """Return the folder of the model itself: `0_Transformer` in old sentence-transformers."""
    if (folder / CONFIG_NAME).is_file():
        return folder
    return next((path.parent for path in sorted(folder.glob(f"0_*/{CONFIG_NAME}"))), folder)


def find_weights(folder: Path) -> tuple[Path, ...]:
    """Return the weight files of the preferred kind in `folder`; empty without weights.

    Shards are returned as named by their index, whether they exist or not.
    """
    found = next((name for name in WEIGHT_NAMES if (folder / name).is_file()), None)
    if found is None:
        return ()
    return read_shard_index(folder / found) if is_index(found) else (folder / found,)


def is_index(name: str) -> bool:
    """Return whether a file of weights names the files that hold them."""
    return name.endswith(".index.json")


def _not_a_model(folder: Path) -> str:
    """Say what a folder without a configuration is, and the way out."""
    if (folder / STATE_NAME).is_file():
        return "an unfinished training run; go on with it: distil finetune … --resume"
    if inside := _models_inside(folder):
        return f"no {CONFIG_NAME} here, but {inside}"
    return f"no {CONFIG_NAME} here, so this is not a model; {_content(folder)}"


def _models_inside(folder: Path) -> str:
    """Name the models in the folders of a folder, or one level deeper; '' without any."""
    for pattern in (f"*/{CONFIG_NAME}", f"*/*/{CONFIG_NAME}"):
        names = [path.parent.relative_to(folder).as_posix() for path in folder.glob(pattern)]
        if models := [name for name in names if find_weights(folder / name)] or names:
            # checkpoint-1000 comes after checkpoint-500.
            last = max(models, key=lambda name: [p.zfill(20) for p in re.split(r"(\d+)", name)])
            return f"in {', '.join(sorted(models))}; give {folder / last}"
    return ""


def _content(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    return f"it holds {listing(names)}" if names else "the folder is empty"
