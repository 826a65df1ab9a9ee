"""The journal of an unfinished run: what it runs, and how far it has got.

It lies beside the unfinished output, is replaced as a whole, and is removed once the output is
complete.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from distilcli.errors import ResourceError
from distilcli.rows.formats import split_part
from distilcli.rows.identity import RunIdentity
from distilcli.rows.output import State
from distilcli.rows.part import JOURNAL, PART, beside
from distilcli.rows.place import Place
from distilcli.rows.reader import Mark

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has got: its places in the input and output, and its counts."""

    rows: int
    written: int
    mark: Mark
    output: State
    stats: Mapping[str, Any]
    counts: Mapping[str, int]


class Journal:
    """The journal of the run that writes an output: a file, or a table `file.db::table`."""

    def __init__(self, output: str) -> None:
        self._name = output
        file, table = split_part(output)
        self.path = beside(file, JOURNAL, table)
        self._part = beside(file, PART, table)
        self._new = self.path.with_name(self.path.name + ".new")

    def read(self) -> tuple[RunIdentity, Progress] | None:
        """Return what an interrupted run was and how far it got; None if there was none.

        A journal without its output was left by a run that was killed at its very end.
        """
        try:
            saved = json.loads(self.path.read_text(encoding="utf-8"))
            if saved["format"] != _FORMAT or not self._part.exists():
                return None
            mark = saved["progress"].pop("mark")
            place = mark.pop("place")
            mark = Mark(**mark, place=None if place is None else Place(**place))
            return RunIdentity(**saved["run"]), Progress(**saved["progress"], mark=mark)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def save(self, run: RunIdentity, progress: Progress) -> None:
        """Replace the journal; the output it describes must already be on the disk."""
        saved = {"format": _FORMAT, "run": asdict(run), "progress": asdict(progress)}
        try:
            self._new.unlink(missing_ok=True)  # of a killed run, or a link to another file
            with self._new.open("x", encoding="utf-8") as file:
                json.dump(saved, file, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())
            self._new.replace(self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._new.unlink(missing_ok=True)
            raise ResourceError(
                f"{self._name}: its journal cannot be written: {error.strerror}"
            ) from error

    @property
    def is_there(self) -> bool:
        """Whether a run left a journal and its output."""
        return self.path.exists() and self._part.exists()

    def remove(self) -> None:
        """Remove the journal: its run is complete or abandoned."""
        for path in (self.path, self._new):
            path.unlink(missing_ok=True)
