"""Whether a run may go into a folder: told before anything is loaded."""

import os
from pathlib import Path

from distilcli.errors import ResourceError, UsageError

STATE_FILE = "training_state.pt"
SUMMARY_FILE = "summary.json"


def check_place(path: Path, *, resume: bool = False, force: bool = False) -> None:
    """Raise `UsageError` where a run cannot begin at `path`, or with `resume` cannot go on.

    It begins in a folder that is empty or not there yet; with `force` in any. Raises
    `ResourceError` for a folder that cannot be made.
    """
    if resume:
        _check_resumable(path)
        return
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path}: is a file; name a folder for the run")
    if path.is_dir() and any(path.iterdir()) and not force:
        way_out = "--resume to go on, " if (path / STATE_FILE).is_file() else ""
        raise UsageError(f"{path}: is not empty; use {way_out}--force to replace what is in it")
    nearest = next(each for each in (path, *path.absolute().parents) if each.exists())
    if not nearest.is_dir():
        raise ResourceError(f"{path}: cannot be made: {nearest} is a file")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ResourceError(f"{path}: cannot be made: {nearest} may not be written to")


def _check_resumable(path: Path) -> None:
    if not (path / STATE_FILE).is_file():
        done = (path / SUMMARY_FILE).is_file()
        reason = "the run is finished" if done else "there is no interrupted run"
        raise UsageError(f"{path}: {reason}, nothing to resume")
