"""Weights into models and models into folders.

Reading takes `model.safetensors`, its shards, or `pytorch_model.bin` (weights only: a pickle that
would run code is refused), in any floating-point type or packed (`packing.py`), and gives fp32.
Nothing is silently left at random: a missing, misshapen or foreign weight is an error that names
it. Writing gives a folder that `transformers` loads.
"""

import json
import pickle
import shutil
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from distilcli.checkpoint.config import ModelConfig, dump_config, read_config
from distilcli.checkpoint.folder import ModelFiles
from distilcli.checkpoint.header import read_header
from distilcli.errors import ModelError, ResourceError
from distilcli.model.heads import SequenceClassifier
from distilcli.model.keys import PREFIX, to_checkpoint, to_ours
from distilcli.model.packing import unpack
from distilcli.tokenizer.tokenizer import Tokenizer

_OTHER_HEADS = {
    "ForTokenClassification": "the labels of single tokens",
    "ForMultipleChoice": "multiple choice",
}
_ADDED_TOKENS = "added_tokens.json"
TOKENIZER_NAMES = {
    "tokenizer.json", "vocab.txt", "tokenizer_config.json", "special_tokens_map.json",
    _ADDED_TOKENS,
}  # fmt: skip
"""What the files of a tokenizer are called in a model's folder."""


@dataclass(frozen=True, slots=True)
class LoadedClassifier:
    """A classifier with its weights, and the checkpoint's keys that it has no use for."""

    model: SequenceClassifier
    config: ModelConfig
    unused: tuple[str, ...]


def read_weights(files: ModelFiles) -> dict[str, Tensor]:
    """Read every weight of a located model, under this package's names, as fp32 on the CPU."""
    weights: dict[str, Tensor] = {}
    for path in files.weight_files:
        part = _read_pickle(path) if path.suffix == ".bin" else _read_safetensors(path)
        if twice := sorted(weights.keys() & part.keys()):
            raise ModelError(
                f"{path}: holds weights that another file of {files.name} holds too "
                f"({_listed(twice)}); download every shard again"
            )
        weights.update(part)
    try:
        unpacked = unpack(weights)
    except ModelError as error:
        raise ModelError(f"{files.name}: {error}") from None
    renamed: dict[str, Tensor] = {}
    for key, weight in unpacked.items():
        ours = to_ours(key)
        if ours in renamed:
            raise ModelError(
                f"{files.name}: holds the weight {key} a second time under another name; "
                "remove one of the two"
            )
        if ours is not None:
            renamed[ours] = weight
    if whole := sorted(key for key, weight in renamed.items() if not weight.is_floating_point()):
        raise ModelError(
            f"{files.name}: holds whole numbers without scales ({_listed(whole)}); "
            "use the checkpoint from before it was quantized"
        )
    return {key: weight.float() for key, weight in renamed.items()}


def load_classifier(files: ModelFiles) -> LoadedClassifier:
    """Load a model with a trained classification head; raise `ModelError` if it has none."""
    config = read_config(files.config_path)
    weights = read_weights(files)
    _refuse_other_heads(config, files.name)
    if "classifier.weight" not in weights:
        raise ModelError(
            f"{files.name}: has no trained classification head; train one with "
            f"`distil finetune --task classify --model {files.name}`"
        )
    config = _config_with_labels(config, weights["classifier.weight"].shape[:1].numel(), files.name)
    with _Uninitialised():
        model = build_classifier(config, source=files.name)
    unused = fill(model, weights, source=files.name)
    return LoadedClassifier(model.eval(), config, unused)


def build_classifier(config: ModelConfig, *, source: str) -> SequenceClassifier:
    """Build a classifier with random weights; raise `ModelError` naming `source` if it cannot."""
    try:
        return SequenceClassifier(config)
    except ModelError as error:
        raise ModelError(f"{source}: {error}") from None
    except (RuntimeError, MemoryError, TypeError):  # torch's several words for "too large"
        raise ModelError(
            f"{source}: a model of the sizes in config.json does not fit in memory; "
            "use the config.json that belongs to these weights"
        ) from None


def fill(model: SequenceClassifier, weights: dict[str, Tensor], *, source: str) -> tuple[str, ...]:
    """Put `weights` into `model`; return the keys left over, which belong to other heads.

    Raises `ModelError` naming, as a checkpoint of the model's family does, the weights that are
    missing, have another shape, or belong to an encoder of another build (a seventh layer in a
    model of six).
    """
    theirs = partial(to_checkpoint, model_type=model.config.model_type)
    wanted = model.state_dict()
    missing = sorted(wanted.keys() - weights.keys())
    unused = sorted(weights.keys() - wanted.keys())
    misshapen = [
        f"{theirs(key)} {tuple(weights[key].shape)} instead of {tuple(wanted[key].shape)}"
        for key in sorted(wanted.keys() & weights.keys())
        if weights[key].shape != wanted[key].shape
    ]
    foreign = [theirs(key) for key in unused if key.startswith(PREFIX) and ".pooler." not in key]
    faults = [
        f"{kind}: {_listed(keys)}"
        for kind, keys in (
            ("missing", [theirs(key) for key in missing]),
            ("of another shape", misshapen),
            ("not in this architecture", foreign),
        )
        if keys
    ]
    if faults:
        raise ModelError(
            f"{source}: the weights do not fit config.json; {'; '.join(faults)}; "
            "use the config.json that belongs to these weights"
        )
    model.load_state_dict({key: weights[key] for key in wanted}, assign=True)
    return tuple(unused)


def fold_token_types(
    config: ModelConfig, weights: dict[str, Tensor]
) -> tuple[ModelConfig, dict[str, Tensor]]:
    """Turn a BERT encoder into the DistilBERT that gives the same hidden states for one segment.

    Row 0 of the token-type table is added to every position; the pooler is dropped.
    """
    key = f"{PREFIX}embeddings.token_type_embeddings.weight"
    if key not in weights:
        raise ModelError("there are no token types to fold; the model is a DistilBERT already")
    if config.layer_norm_eps != ModelConfig().layer_norm_eps:
        raise ModelError(
            f"layer_norm_eps is {config.layer_norm_eps:g} where a DistilBERT has "
            f"{ModelConfig().layer_norm_eps:g}; the model cannot be folded into one"
        )
    folded = {
        name: weight for name, weight in weights.items() if name != key and ".pooler." not in name
    }
    positions = f"{PREFIX}embeddings.position_embeddings.weight"
    folded[positions] = weights[positions] + weights[key][0]
    shape = replace(
        config, model_type="distilbert", type_vocab_size=0, classifier_dropout=0.2, extra={}
    )
    return shape, folded


def save_classifier(
    model: SequenceClassifier, folder: Path, *, tokenizer_files: Iterable[Path]
) -> None:
    """Write `config.json`, `model.safetensors` and the tokenizer's files into `folder`.

    The folder must exist; making the whole appear at once is the caller's part.
    """
    config = model.config
    family = "Bert" if config.model_type == "bert" else "DistilBert"
    raw = dump_config(config) | {
        "architectures": [f"{family}ForSequenceClassification"],
        "dtype": "float32",
    }
    weights = {
        to_checkpoint(key, config.model_type): weight.detach().cpu().contiguous()
        for key, weight in model.state_dict().items()
    }
    try:
        write_json(folder / "config.json", raw)
        write_weights(folder / "model.safetensors", weights)
        for path in tokenizer_files:
            shutil.copyfile(path, folder / path.name)
    except (OSError, SafetensorError) as error:
        raise ResourceError(f"{folder}: the model could not be saved: {error}") from None


def check_tokenizer(tokenizer: Tokenizer, config: ModelConfig, *, source: str) -> None:
    """Raise `ModelError` where a tokenizer knows ids for which the model has no embedding."""
    if tokenizer.vocab_size > config.vocab_size:
        raise ModelError(
            f"{source}: the tokenizer has {tokenizer.vocab_size} tokens, the model's vocabulary "
            f"{config.vocab_size}; use the tokenizer that belongs to the model"
        )


def write_weights(path: Path, weights: dict[str, Tensor]) -> None:
    """Write a safetensors file that whoever may read its neighbours may read too."""
    save_file(weights, path, metadata={"format": "pt"})
    # The package makes files for their owner alone, whatever the umask says.
    neighbour = path.with_name(f".{path.name}.mode")
    neighbour.touch()
    path.chmod(neighbour.stat().st_mode)
    neighbour.unlink()


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def tokenizer_files(files: ModelFiles) -> list[Path]:
    """Return the files that make up the tokenizer of a located model."""
    named = (
        files.tokenizer_json,
        files.vocab_txt,
        files.tokenizer_config,
        files.special_tokens_map,
        files.folder / _ADDED_TOKENS,
    )
    return [path for path in named if path is not None and path.is_file()]


class _Uninitialised(TorchFunctionMode):
    """Leaves new weights as the memory they are, because those of the file take their place.

    Drawing them costs a second for a base model; torch's meta device costs more, in imports.
    """

    # nn.init hands some of its functions to the mode whole, and their draws are then out of sight.
    _DRAWS = (
        *(nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_),
        *(Tensor.normal_, Tensor.uniform_, Tensor.fill_, Tensor.zero_),
    )

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func in self._DRAWS:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    read_header(path)  # its errors say more than the loader's
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: cannot be read: {error}; download it again") from None


def _read_pickle(path: Path) -> dict[str, Tensor]:
    try:
        with path.open("rb") as file:
            opening = file.read(2)
        if opening and not opening.startswith((b"PK", b"\x80")):  # a zip archive, or a bare pickle
            raise ModelError(
                f"{path}: is no PyTorch file but perhaps a page or a pointer saved in its place; "
                "download it again"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch remarks on the pickle's protocol
            weights = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ModelError(
            f"{path}: refused, because it holds more than weights and could run code; "
            "ask its author for model.safetensors"
        ) from None
    except (OSError, RuntimeError, EOFError) as error:
        reason = str(error).splitlines()[0] if str(error) else "it ends too early"
        raise ModelError(f"{path}: cannot be read: {reason}; download it again") from None
    if not isinstance(weights, dict) or not all(
        isinstance(key, str) and isinstance(weight, Tensor) for key, weight in weights.items()
    ):
        raise ModelError(f"{path}: is no state dict (names to tensors)")
    return weights


def _refuse_other_heads(config: ModelConfig, source: str) -> None:
    """Refuse heads whose weights have the names of this one's and mean something else."""
    architectures = config.extra.get("architectures")
    for architecture in architectures if isinstance(architectures, list) else ():
        for ending, purpose in _OTHER_HEADS.items():
            if str(architecture).endswith(ending):
                raise ModelError(
                    f"{source}: is a {architecture}, its head is for {purpose}; "
                    "classify needs one for whole texts"
                )


def _config_with_labels(config: ModelConfig, n_labels: int, source: str) -> ModelConfig:
    """Fill in the labels that `config.json` may leave out when they are LABEL_0, LABEL_1, …."""
    if not config.labels:
        return replace(config, labels=tuple(f"LABEL_{index}" for index in range(n_labels)))
    if len(config.labels) != n_labels:
        raise ModelError(
            f"{source}: config.json names {len(config.labels)} labels, "
            f"the classifier has {n_labels} outputs"
        )
    return config


def _listed(keys: list[str], most: int = 6) -> str:
    rest = f" and {len(keys) - most} more" if len(keys) > most else ""
    return ", ".join(keys[:most]) + rest


def load_model(files: ModelFiles, head: Any) -> LoadedClassifier:
    """Shim."""
    return load_classifier(files)
