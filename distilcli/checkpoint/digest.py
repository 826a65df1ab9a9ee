"""The digest of a model: it identifies its files in any folder, under any name."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from distilcli.checkpoint.folder import ModelFiles
from distilcli.checkpoint.sentence_transformers import SENTENCE_NAMES, sentence_files


def model_digest(files: ModelFiles) -> str:
    """Return the SHA-256 of all files that decide what a model gives for a text.

    They are its configuration, weights and tokenizer, and the modules of sentence-transformers.
    """
    found = hashlib.sha256()
    for path in _parts(files):
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                found.update(chunk)
    return found.hexdigest()


def _parts(files: ModelFiles) -> Iterator[Path]:
    yield from (files.config_path, *files.weight_files, *files.tokenizer_files)
    modules = (files.folder / name for name in (*SENTENCE_NAMES, *sentence_files(files.folder)))
    yield from (path for path in modules if path.is_file())
