"""A run's folder: the best model so far, the metrics, and the state to resume from.

    config.json, model.safetensors, tokenizer files   the best model so far, ready to use
    config.toml                                       every setting of the run
    modules.json and more                             how an embedder's vectors are made
    metrics.jsonl                                     a line for each evaluation
    summary.json, README.md                           written at the end, for programs and people
    training_state.pt                                 until the end: everything to go on from

Each file is written beside its place and renamed, so a kill at any moment leaves whole files, and
a disk that is full leaves those that were there. A model is made of several files: see `save_best`
for why a kill never leaves a mixture of two.
"""

import filecmp
import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from distilcli.checkpoint.folder import SAFETENSORS_NAME, WEIGHT_NAMES
from distilcli.checkpoint.sentence_transformers import SENTENCE_NAMES
from distilcli.errors import ModelError, ResourceError, UsageError
from distilcli.model.heads import TaskModel
from distilcli.model.saving import TOKENIZER_NAMES, save_model, write_json
from distilcli.training.run_place import STATE_FILE, SUMMARY_FILE, check_place

CONFIG_FILE = "config.toml"
METRICS_FILE = "metrics.jsonl"
CARD_FILE = "README.md"


class RunFolder:
    """Where one run of `finetune` keeps what it makes."""

    def __init__(
        self,
        path: Path,
        *,
        fingerprint: dict[str, Any],
        tokenizer_files: Iterable[Path],
        max_length: int | None = None,
        companions: Mapping[str, Any] | None = None,
    ) -> None:
        """`fingerprint` says what the run learns from; a state of another one is refused.

        `companions` are JSON files that belong beside the model, by their paths in the folder.
        """
        self.path = path
        self._fingerprint = fingerprint
        self._tokenizer_files = list(tokenizer_files)
        self._max_length = max_length
        self._companions = companions or {}
        self.is_saved = False
        """Whether a state of this run was saved."""

    def create(self, *, force: bool) -> None:
        """Make the folder; raise `UsageError` if it holds something and `force` is not given."""
        check_place(self.path, force=force)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            written = (STATE_FILE, CONFIG_FILE, METRICS_FILE, SUMMARY_FILE, CARD_FILE)
            for name in written:
                (self.path / name).unlink(missing_ok=True)
        except OSError as error:
            raise ResourceError(f"{self.path}: cannot be made: {error}") from None

    def load_state(self) -> dict[str, Any]:
        """Return the saved state; raise `UsageError` if there is none or it is another run's."""
        check_place(self.path, resume=True)
        saved = _read_state(self.path / STATE_FILE)
        changed = sorted(
            key
            for key in self._fingerprint.keys() | saved["fingerprint"].keys()
            if self._fingerprint.get(key) != saved["fingerprint"].get(key)
        )
        if changed:
            raise UsageError(
                f"{self.path}: was started with another {', '.join(changed)}; "
                "repeat the first command line with --resume added, or use --force to start anew"
            )
        return saved

    def save_config(self, toml: str) -> None:
        """Write the settings of the run; see `config_toml`."""
        self._replace_text(CONFIG_FILE, toml)

    def save_state(self, state: dict[str, Any], history: list[dict[str, Any]]) -> None:
        """Replace the saved state and the metrics."""
        content = {**state, "fingerprint": self._fingerprint}
        self._replace(self.path / STATE_FILE, lambda path: torch.save(content, path))
        self.is_saved = True
        self._replace_text(METRICS_FILE, "".join(json.dumps(entry) + "\n" for entry in history))

    def save_best(self, model: TaskModel) -> None:
        """Replace the saved model, and with it the tokenizer of whatever was here before.

        From one best model of a run to the next only the weights change, and one rename puts them
        in place. Where other files change too, the old weights go first and the new ones come
        last: a kill in between leaves a folder without weights, which is refused, not a mixture.
        """
        stage = self.path / ".saving"
        try:
            shutil.rmtree(stage, ignore_errors=True)
            stage.mkdir()
            save_model(
                model,
                stage,
                tokenizer_files=self._tokenizer_files,
                max_length=self._max_length,
            )
            for name, content in self._companions.items():
                (stage / name).parent.mkdir(exist_ok=True)
                write_json(stage / name, content)
            names = sorted(
                str(path.relative_to(stage)) for path in stage.rglob("*") if path.is_file()
            )
            for name in names:
                _write_through(stage / name)
            self._move_in(stage, names)
        except OSError as error:
            raise ResourceError(f"{self.path}: the model could not be saved: {error}") from None
        finally:
            shutil.rmtree(stage, ignore_errors=True)

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

    def finish(self, summary: dict[str, Any], *, card: str | None = None) -> None:
        """Write the summary and the card, and drop the state, which is of no more use."""
        if card is not None:
            self._replace_text(CARD_FILE, card)
        self._replace(self.path / SUMMARY_FILE, lambda path: write_json(path, summary))
        (self.path / STATE_FILE).unlink(missing_ok=True)

    def _replace_text(self, name: str, text: str) -> None:
        self._replace(self.path / name, lambda path: path.write_text(text, "utf-8"))

    def _replace(self, path: Path, write: Callable[[Path], Any]) -> None:
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            write(temporary)
            _write_through(temporary)
            temporary.replace(path)
        except (OSError, RuntimeError) as error:  # torch.save reports a full disk as RuntimeError
            temporary.unlink(missing_ok=True)
            raise ResourceError(f"{path}: could not be written: {error}") from None


def _write_through(path: Path) -> None:
    """Wait until the file is on the disk: a rename may get there before what it renames."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _same(path: Path, other: Path) -> bool:
    return other.is_file() and filecmp.cmp(path, other, shallow=False)


def _read_state(path: Path) -> dict[str, Any]:
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).partition("\n")[0]
        raise ModelError(f"{path}: cannot be read: {reason}; use --force to start anew") from None
    if not isinstance(saved, dict) or "fingerprint" not in saved:
        raise ModelError(f"{path}: is no saved state of a run; use --force to start anew")
    return saved
