"""Turns a finished run into a built-in model: packed, with the shared token table.

    python .github/builtin/ship.py RUN NAME

The token table must have been frozen (`--freeze embeddings`), because all built-in models share
one: `distilcli/builtin/shared/` holds it and the tokenizer, `distilcli/builtin/NAME/` the other
weights, the configuration and, for an embedder, its modules. The configuration has what was found
out about the scores (`distil evaluate RUN DATA`, with `--calibrate` and then with `--max-error`).
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from distilcli.checkpoint.folder import describe_folder
from distilcli.checkpoint.locate import BUILTIN_ROOT
from distilcli.checkpoint.sentence_transformers import SENTENCE_NAMES, sentence_files
from distilcli.errors import ModelError
from distilcli.model.int8_storage import pack
from distilcli.model.keys import PREFIX
from distilcli.model.saving import write_json, write_weights
from distilcli.model.weights import read_weights

SHARED_WEIGHTS = "word_embeddings.safetensors"
_TABLE = f"{PREFIX}embeddings.word_embeddings"


def ship(run: Path, name: str, *, root: Path = BUILTIN_ROOT) -> None:
    """Write the model in `run` as the built-in `name` under `root`.

    Raises `ModelError` if its token table is not that of the other built-in models.
    """
    files = describe_folder(str(run), run)
    packed = pack(read_weights(files)[0])
    table = {key: packed.pop(key) for key in list(packed) if key.startswith(_TABLE)}
    shared, folder = root / "shared", root / name
    if (shared / SHARED_WEIGHTS).is_file():
        _require_same(table, load_file(shared / SHARED_WEIGHTS), run)
    else:
        shared.mkdir(parents=True, exist_ok=True)
        write_weights(shared / SHARED_WEIGHTS, table)
        for path in files.tokenizer_files:
            shutil.copyfile(path, shared / path.name)
    folder.mkdir(exist_ok=True)
    config = json.loads(files.config_path.read_text(encoding="utf-8"))
    write_json(folder / "config.json", config | {"shared_weights": SHARED_WEIGHTS})
    write_weights(folder / "model.safetensors", packed)
    for part in (*SENTENCE_NAMES, *sentence_files(run)):
        if (run / part).is_file():
            (folder / part).parent.mkdir(exist_ok=True)
            shutil.copyfile(run / part, folder / part)


def _require_same(table: dict[str, Tensor], shared: dict[str, Tensor], run: Path) -> None:
    same = table.keys() == shared.keys() and all(torch.equal(table[k], shared[k]) for k in table)
    if not same:
        raise ModelError(
            f"{run}: its token table is not the shared one; train with --freeze embeddings from "
            "the initial model of the other built-in models"
        )


if __name__ == "__main__":
    ship(Path(sys.argv[1]), sys.argv[2])
