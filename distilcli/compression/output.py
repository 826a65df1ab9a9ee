"""A model written as a whole folder: under a temporary name, renamed when all of it is there."""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from distilcli.checkpoint.folder import ModelFiles
from distilcli.checkpoint.json_file import read_json, read_object
from distilcli.checkpoint.sentence_transformers import (
    LENGTHS_NAME,
    MODULES_NAME,
    SENTENCE_NAMES,
    sentence_files,
)
from distilcli.errors import ResourceError, UsageError
from distilcli.gold.fingerprints import ROW_KEYS_FILE
from distilcli.interrupt import undo_at_sudden_end
from distilcli.model.heads import TaskModel
from distilcli.model.saving import save_model, write_json


@dataclass(slots=True)
class Compressed:
    """A model with what changed beside its weights.

    `files` are those of the model that it was made from. `tokenizer` are tokenizer files that
    replace them, by name; `packed` weights are stored as int8.
    """

    model: TaskModel
    files: ModelFiles
    packed: bool
    tokenizer: Mapping[str, object] = field(default_factory=dict)
    positions: int | None = None

    def write(self, folder: Path) -> None:
        """Write everything that the model needs into an empty folder."""
        save_model(
            self.model, folder, tokenizer_files=self.files.tokenizer_files, packed=self.packed
        )
        for name, content in self.tokenizer.items():
            if isinstance(content, list):
                text = "".join(f"{line}\n" for line in content)
                (folder / name).write_text(text, encoding="utf-8")
            else:
                write_json(folder / name, content)
        self._copy_companions(folder)
        if self.positions is not None:
            _limit(folder / "tokenizer_config.json", "model_max_length", self.positions)
            _limit(folder / LENGTHS_NAME, "max_seq_length", self.positions)

    def _copy_companions(self, folder: Path) -> None:
        """Copy how an embedder's vectors are made, and the keys of the training rows."""
        source, inner = self.files.folder, self.files.config_path.parent
        for name in (*SENTENCE_NAMES, *sentence_files(source), ROW_KEYS_FILE):
            path = inner / name if (inner / name).is_file() else source / name
            if path.is_file():
                (folder / name).parent.mkdir(exist_ok=True)
                shutil.copyfile(path, folder / name)
        if inner != source and (folder / MODULES_NAME).is_file():
            # The model itself was in a folder of its own, as in old sentence-transformers.
            modules: Any = read_json(folder / MODULES_NAME)
            write_json(folder / MODULES_NAME, [{**modules[0], "path": ""}, *modules[1:]])


def _limit(path: Path, key: str, most: int) -> None:
    """Lower a limit in a file of settings, if there is the file."""
    if path.is_file():
        settings = read_object(path)
        write_json(path, settings | {key: min(settings.get(key) or most, most)})


def check_output(folder: Path, models: Sequence[ModelFiles], *, force: bool) -> None:
    """Raise `UsageError` if a model cannot be written as `folder`, before any work is done."""
    for files in models:
        if files.folder.resolve() == folder.resolve():
            raise UsageError(f"{folder}: `output` would replace the model; name another folder")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; name a folder for the model")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise UsageError(f"{folder}: is not empty; use `force` to replace it")
    if not folder.absolute().parent.is_dir():
        raise UsageError(f"{folder}: there is no folder '{folder.parent}'; create it first")


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Yield a new folder beside `folder`, which is removed however the program ends.

    Move it with `put_in_place` once the model in it is accepted.
    """
    stage = folder.absolute().with_name(f".{folder.name}.{os.urandom(4).hex()}.part")
    with undo_at_sudden_end(partial(shutil.rmtree, stage, ignore_errors=True)):
        try:
            stage.mkdir()
            yield stage
        except OSError as error:
            reason = error.strerror or error
            raise ResourceError(f"{folder}: cannot be written: {reason}") from None
        finally:
            shutil.rmtree(stage, ignore_errors=True)


def put_in_place(stage: Path, folder: Path) -> None:
    """Rename a finished folder; what was there is moved away first and removed last."""
    old = stage.with_suffix(".old")
    if folder.exists():
        folder.rename(old)
    try:
        stage.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
