"""A run's folder: the best model so far, the metrics, and the state to resume from.

    config.json, model.safetensors, tokenizer files   the best model so far, ready to use
    config.toml                                       every setting of the run
    modules.json and more                             how an embedder's vectors are made
    metrics.jsonl                                     a line for each evaluation
    training_rows.npy                                 a key for each training row
    summary.json, README.md                           written at the end, for programs and people
    training_state.pt                                 until the end: everything needed to resume

Each file is written under a temporary name and renamed, so that a kill at any moment leaves whole
files, and a full disk leaves the old ones. A model has several files: `save_best` explains why a
kill never leaves a mixture of two.
"""

import contextlib
import filecmp
import json
import pickle
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

from distilcli.checkpoint.folder import (
    SAFETENSORS_NAME,
    STATE_NAME,
    TOKENIZER_NAMES,
    WEIGHT_NAMES,
)
from distilcli.checkpoint.sentence_transformers import SENTENCE_NAMES
from distilcli.errors import ModelError, ResourceError, UsageError
from distilcli.gold.fingerprints import ROW_KEYS_FILE, Keys
from distilcli.interrupt import undo_at_sudden_end
from distilcli.model.heads import TaskModel
from distilcli.model.saving import save_model, write_json
from distilcli.training.run_files import (
    CARD_FILE,
    CONFIG_FILE,
    METRICS_FILE,
    SUMMARY_FILE,
    check_folder,
    flush_to_disk,
    replace_file,
)

_FILES = (STATE_NAME, CONFIG_FILE, METRICS_FILE, ROW_KEYS_FILE, SUMMARY_FILE, CARD_FILE)


@dataclass(eq=False)
class RunFolder:
    """The folder of one run of `finetune`; a saved state with another `fingerprint` is refused.

    `companions` are JSON files that belong beside the model, by their paths in the folder.
    `is_saved` says whether a state of this run was saved.
    """

    path: Path
    _: KW_ONLY
    fingerprint: Mapping[str, object]
    tokenizer_files: Sequence[Path]
    max_length: int | None = None
    companions: Mapping[str, object] | None = None
    is_saved: bool = field(default=False, init=False)
    _is_new: bool = field(default=False, init=False)

    def create(self, *, force: bool) -> None:
        """Create the folder; raise `UsageError` if it is not empty, unless `force` is given."""
        check_folder(self.path, force=force)
        self._is_new = not self.path.exists()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for name in _FILES:
                (self.path / name).unlink(missing_ok=True)
        except OSError as error:
            raise ResourceError(f"{self.path}: cannot be created: {error}") from None

    def clear_if_useless(self) -> None:
        """Remove what a run has left that has saved neither its state nor a model."""
        if any((self.path / name).exists() for name in (STATE_NAME, *WEIGHT_NAMES)):
            return
        with contextlib.suppress(OSError):
            for name in _FILES:
                (self.path / name).unlink(missing_ok=True)
            if self._is_new:
                self.path.rmdir()

    def load_state(self) -> dict[str, Any]:
        """Return the saved state; raise `UsageError` if there is none, or it is of another run."""
        check_folder(self.path, resume=True)
        saved = _read_state(self.path / STATE_NAME)
        changed = sorted(
            key
            for key in self.fingerprint.keys() | saved["fingerprint"].keys()
            if self.fingerprint.get(key) != saved["fingerprint"].get(key)
        )
        if changed:
            raise UsageError(
                f"{self.path}: was started with another {', '.join(changed)}; "
                "repeat the first command with `resume` added, or use `force` to start over"
            )
        return saved

    def save_config(self, toml: str) -> None:
        """Write the settings of the run; see `config_toml`."""
        self._replace_text(CONFIG_FILE, toml)

    def save_row_keys(self, keys: Keys) -> None:
        """Write the keys of the training rows, sorted, which tell whether a row is among them."""
        self._replace(ROW_KEYS_FILE, lambda file: np.save(file, np.sort(keys)))

    def save_state(self, state: Mapping[str, object], history: list[dict[str, float]]) -> None:
        """Replace the saved state and the metrics."""
        content = {**state, "fingerprint": self.fingerprint}
        self._replace(STATE_NAME, lambda file: torch.save(content, file))
        self.is_saved = True
        self._replace_text(METRICS_FILE, "".join(json.dumps(entry) + "\n" for entry in history))

    def save_best(self, model: TaskModel) -> None:
        """Replace the saved model, and the tokenizer of a model that was here before.

        From one best model of a run to the next only the weights change, by a single rename. If
        other files change too, the old weights are removed first and the new ones come last: a
        kill in between leaves a folder without weights, which is refused, and never a mixture.
        """
        stage = self.path / ".saving"
        undo = undo_at_sudden_end(partial(shutil.rmtree, stage))
        try:
            shutil.rmtree(stage, ignore_errors=True)
            stage.mkdir()
            save_model(
                model, stage, tokenizer_files=self.tokenizer_files, max_length=self.max_length
            )
            for name, content in (self.companions or {}).items():
                (stage / name).parent.mkdir(exist_ok=True)
                write_json(stage / name, content)
            names = sorted(
                str(path.relative_to(stage)) for path in stage.rglob("*") if path.is_file()
            )
            for name in names:
                with (stage / name).open("rb+") as file:
                    flush_to_disk(file)
            self._move_in(stage, names)
        except OSError as error:
            raise ResourceError(f"{self.path}: the model could not be saved: {error}") from None
        finally:
            shutil.rmtree(stage, ignore_errors=True)
            undo.close()

    def _move_in(self, stage: Path, names: list[str]) -> None:
        others = [name for name in names if name != SAFETENSORS_NAME]
        changed = [name for name in others if not _same(stage / name, self.path / name)]
        surplus = {*TOKENIZER_NAMES, *SENTENCE_NAMES} - set(others)
        stale = [path for name in surplus if (path := self.path / name).exists()]
        if changed or stale:
            for name in WEIGHT_NAMES:
                (self.path / name).unlink(missing_ok=True)
        for path in stale:
            path.unlink()
        for name in changed:
            (self.path / name).parent.mkdir(exist_ok=True)
            (stage / name).replace(self.path / name)
        (stage / SAFETENSORS_NAME).replace(self.path / SAFETENSORS_NAME)

    def finish(self, summary: Mapping[str, object], *, card: str | None = None) -> None:
        """Write the summary and the card, and remove the state."""
        if card is not None:
            self._replace_text(CARD_FILE, card)
        text = json.dumps(summary, indent=2, ensure_ascii=False)
        self._replace_text(SUMMARY_FILE, text + "\n")
        (self.path / STATE_NAME).unlink(missing_ok=True)

    def _replace_text(self, name: str, text: str) -> None:
        self._replace(name, lambda file: file.write(text.encode()))

    def _replace(self, name: str, write: Callable[[IO[bytes]], object]) -> None:
        path = self.path / name
        try:
            replace_file(path, write)
        except (OSError, RuntimeError) as error:  # torch.save reports a full disk as RuntimeError
            raise ResourceError(f"{path}: could not be written: {error}") from None


def _same(path: Path, other: Path) -> bool:
    return other.is_file() and filecmp.cmp(path, other, shallow=False)


def _read_state(path: Path) -> dict[str, Any]:
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).partition("\n")[0]
        raise ModelError(f"{path}: cannot be read: {reason}; use `force` to start over") from None
    if not isinstance(saved, dict) or "fingerprint" not in saved:
        raise ModelError(f"{path}: is not the saved state of a run; use `force` to start over")
    return saved
