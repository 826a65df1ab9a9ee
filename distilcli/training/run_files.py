"""The files of a run folder, how they are written, and whether a run may go there; torch-free."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import IO

from distilcli.checkpoint.folder import STATE_NAME
from distilcli.errors import ResourceError, UsageError
from distilcli.interrupt import undo_at_sudden_end

SUMMARY_FILE = "summary.json"
METRICS_FILE = "metrics.jsonl"
CONFIG_FILE = "config.toml"
CARD_FILE = "README.md"
_NO_SCORES = {"step", "epoch", "train_loss", "best"}


def check_folder(path: Path, *, resume: bool = False, force: bool = False) -> None:
    """Raise `UsageError` if a run cannot begin at `path`, or with `resume` cannot go on.

    A run begins in an empty or new folder; with `force` in any. Raises `ResourceError` for a
    folder that cannot be created.
    """
    if resume and force:
        raise UsageError("`resume` continues a run, `force` replaces it; give one of them")
    if resume:
        if not (path / STATE_NAME).is_file():
            done = (path / SUMMARY_FILE).is_file()
            reason = "the run is finished" if done else "there is no interrupted run"
            raise UsageError(f"{path}: {reason}, nothing to resume")
        return
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path}: is a file; name a folder for the run")
    if path.is_dir() and any(path.iterdir()) and not force:
        way_out = "`resume` to go on, " if (path / STATE_NAME).is_file() else ""
        raise UsageError(f"{path}: is not empty; use {way_out}`force` to replace what is in it")
    nearest = next(each for each in (path, *path.absolute().parents) if each.exists())
    if not nearest.is_dir():
        raise ResourceError(f"{path}: cannot be created: {nearest} is a file")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ResourceError(f"{path}: cannot be created: {nearest} is not writable")


def replace_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file beside `path` and rename it, so that a kill leaves the old or the new one."""
    temporary = path.with_name(f".{path.name}.tmp")
    remove = partial(temporary.unlink, missing_ok=True)
    with undo_at_sudden_end(remove):
        try:
            with temporary.open("wb") as file:
                write(file)
                flush_to_disk(file)
            temporary.replace(path)
        except BaseException:
            remove()
            raise


def flush_to_disk(file: IO[bytes]) -> None:
    """Wait until the content is on the disk: a rename may be written before it."""
    file.flush()
    os.fsync(file.fileno())


def scores_of(entry: Mapping[str, float]) -> dict[str, float]:
    """Return the scores in a line of metrics.jsonl, the one that decides the best model first."""
    return {name: value for name, value in entry.items() if name not in _NO_SCORES}
