"""The digest of a model's content, independent of file names."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from distilcli.checkpoint.folder import ModelFiles


def model_digest(files: ModelFiles, others: Iterable[Path] = ()) -> str:
    """Return the SHA-256 of a model's files and of `others`: the same wherever the model is."""
    found = hashlib.sha256()
    for path in (files.config_path, *files.weight_files, *files.tokenizer_files, *others):
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                found.update(chunk)
    return found.hexdigest()
