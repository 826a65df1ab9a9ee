"""What was found out about a model on this machine, kept for later runs in the user's cache folder.

Each finding is a small JSON file of its own, which is replaced as a whole, so any number of
processes may read and write at once. A cache that is damaged, or cannot be read or written, costs a
warning and nothing else: the finding is made again.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from distilcli.errors import tell

T = TypeVar("T")

_DIGITS = 32  # of the digest in a file's name


def cache_folder() -> Path:
    """Return the folder of all findings: `$XDG_CACHE_HOME/distil`, by default `~/.cache/distil`.

    Raises `RuntimeError` if the user has no home.
    """
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".cache") / "distil"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: its `kind`, and all it is `about` (model, versions, processor, ...).

    What it is about has to be plain JSON values.
    """

    kind: str
    about: Mapping[str, object]

    @property
    def path(self) -> Path:
        """The file of the finding. Raises `RuntimeError` if the user has no home."""
        text = json.dumps(self.about, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        return cache_folder() / self.kind / f"{digest[:_DIGITS]}.json"

    def read(self, parse: Callable[[Any], T]) -> T | None:
        """Return what `parse` makes of the finding; None if there is none, or it is damaged.

        `parse` raises `KeyError`, `TypeError` or `ValueError` for what it cannot use.
        """
        try:
            return self._parse(self.path.read_text(encoding="utf-8"), parse)
        except (KeyError, TypeError, ValueError, RecursionError):
            tell(f"{self.path}: damaged; ignored")
        except (FileNotFoundError, NotADirectoryError, RuntimeError):
            pass
        except OSError as error:
            _tell_unusable(error.strerror)
        return None

    def _parse(self, text: str, parse: Callable[[Any], T]) -> T:
        saved = json.loads(text)
        if saved["about"] != json.loads(json.dumps(self.about)):
            raise ValueError("it is about something else")
        return parse(saved["found"])

    def write(self, found: Mapping[Any, object]) -> None:
        """Keep plain JSON values for later runs."""
        try:
            path = self.path
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, json.dumps({"about": self.about, "found": found}, indent=2) + "\n")
        except OSError as error:
            _tell_unusable(error.strerror)
        except RuntimeError:
            tell("there is no home folder, so nothing is remembered; set XDG_CACHE_HOME")


def _tell_unusable(reason: str | None) -> None:
    tell(f"{cache_folder()}: cannot be used ({reason}), so nothing is remembered")


def _replace(path: Path, text: str) -> None:
    """Write a file beside `path`, under a name that no other process uses, and rename it."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".new")
    try:
        os.close(descriptor)
        Path(name).write_text(text, encoding="utf-8")
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
