"""Save models to folders that `transformers` loads."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from distilcli.checkpoint.config import dump_config
from distilcli.checkpoint.json_file import read_object
from distilcli.checkpoint.parameter_table import without_prefix
from distilcli.errors import ResourceError
from distilcli.model.heads import HEADS, BaseModel, QuestionAnswerer, TaskModel
from distilcli.model.int8_storage import pack
from distilcli.model.keys import BERT_BIAS, BERT_UNTIED_BIAS, to_checkpoint


def save_model(
    model: TaskModel,
    folder: Path,
    *,
    tokenizer_files: Iterable[Path],
    max_length: int | None = None,
    packed: bool = False,
) -> None:
    """Write `config.json`, `model.safetensors` and the tokenizer's files into `folder`.

    As in `transformers`, a base model's weights are written without the prefix they have under a
    head, and tied tables once. `max_length` replaces the longest text, in tokens, of the
    tokenizer's settings, which do not know of added or removed positions. `packed` weights are
    stored as int8 (`int8_storage.py`), which only this package reads. The folder must exist; to
    write it atomically is up to the caller.
    """
    head, config = HEADS[type(model)], model.config
    if not head.labelled:
        config = replace(config.uncalibrated(), labels=(), problem_type=None)
    if not isinstance(model, QuestionAnswerer):
        config = replace(config, no_answer_threshold=None)
    raw = dump_config(config) | {
        "architectures": [head.architecture(config.model_type)],
        "dtype": "float32",
    }
    bare = isinstance(model, BaseModel)
    weights: dict[str, Tensor] = {}
    for key, weight in model.weights_to_save().items():
        name = to_checkpoint(key, config.model_type)
        weights[without_prefix(name) if bare else name] = weight.cpu().contiguous()
    if not config.tie_word_embeddings and BERT_BIAS in weights:
        weights[BERT_UNTIED_BIAS] = weights[BERT_BIAS].clone()
    try:
        write_json(folder / "config.json", raw)
        write_weights(folder / "model.safetensors", pack(weights) if packed else weights)
        for path in tokenizer_files:
            shutil.copyfile(path, folder / path.name)
        settings = folder / "tokenizer_config.json"
        if max_length is not None and settings.is_file():
            write_json(settings, read_object(settings) | {"model_max_length": max_length})
    except (OSError, SafetensorError) as error:
        raise ResourceError(f"{folder}: the model could not be saved: {error}") from None


def write_weights(path: Path, weights: dict[str, Tensor]) -> None:
    """Write a safetensors file with the permissions of any other new file."""
    save_file(weights, path, metadata={"format": "pt"})
    # The package makes files that only their owner can read, whatever the umask.
    neighbour = path.with_name(f".{path.name}.mode")
    neighbour.touch()
    path.chmod(neighbour.stat().st_mode)
    neighbour.unlink()


def write_json(path: Path, content: object) -> None:
    """Write `content` as indented JSON."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
