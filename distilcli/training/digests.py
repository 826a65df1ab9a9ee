"""Digests that tell models and rows by what they hold, whatever their names."""

import hashlib
from collections.abc import Iterable

from distilcli.checkpoint.folder import ModelFiles
from distilcli.model.saving import tokenizer_files


def model_digest(files: ModelFiles) -> str:
    """Return the SHA-256 of a model's files: a folder may move, another model take its name."""
    found = hashlib.sha256()
    for path in (files.config_path, *files.weight_files, *tokenizer_files(files)):
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                found.update(chunk)
    return found.hexdigest()


def rows_digest(*parts: Iterable[object]) -> str:
    """Return the SHA-256 of rows of plain values."""
    found = hashlib.sha256()
    for part in parts:
        for row in part:
            found.update(repr(row).encode("utf-8", "surrogatepass"))
            found.update(b"\0")
        found.update(b"\1")
    return found.hexdigest()
