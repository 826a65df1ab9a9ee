"""What a Ray worker does: it loads the model of a command once, and runs parts of its rows."""

import os
import warnings
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distilcli.commands._declare import GivenOptions
from distilcli.errors import DataWarning, DistilError, UsageError
from distilcli.rows.shard import Shard

if TYPE_CHECKING:
    from distilcli.commands._file_run import FileRun
    from distilcli.stats import RunStats

Failure = tuple[str, str]
"""The name of the class of a `DistilError`, and its message with settings in backticks."""


class Worker:
    """The task of a command, held for as many parts as come.

    It returns the errors of users as values, because Ray would wrap them. Two of its methods may
    run at once: `run` and `progress`.
    """

    def __init__(self, command: str, values: Mapping[str, object], given: list[str], folder: str):
        self._command = command
        self._values = values
        self._given = GivenOptions(given)
        self._run: FileRun[Any, Any] | None = None
        self._stats: RunStats | None = None
        self._warnings: list[str] = []
        with suppress(OSError):  # names of files are relative to it
            os.chdir(folder)
        warnings.simplefilter("always", DataWarning)
        warnings.showwarning = self._note_warning

    def _note_warning(
        self, message: Warning | str, category: type[Warning], *_: object, **__: object
    ) -> None:
        if issubclass(category, DataWarning):
            self._warnings.append(str(message))

    def start(self) -> "Failure | dict[str, Any]":
        """Load the model; return what the report says of it."""
        found: list[FileRun[Any, Any]] = []

        def take(run: "FileRun[Any, Any]") -> int:
            found.append(run)
            return 0

        try:
            module = import_module(f"distilcli.commands.{self._command}")
            command = getattr(module, self._command)
            command.with_values(self._values, self._given, runner=take)
            if not found or not found[0].can_go_on:
                raise UsageError(
                    "`engine` ray runs parts of the rows, and this result needs all of them at once"
                )
        except DistilError as error:
            return _failure(error)
        self._run = found[0]
        predictor = self._run.predictor
        return {
            "described": predictor.described(),
            "model": predictor.name,
            "precision": predictor.precision,
            "device": predictor.device,
            "counted": self._run.counted,
            **self._run.marks,
        }

    def run(self, index: int, count: int, output: str) -> "Failure | list[str]":
        """Run a part of the rows into its file, with what describes it; return warnings."""
        from distilcli.stats import RunStats

        if self._run is None:
            raise RuntimeError("the worker has not started")
        self._stats = RunStats(device=self._run.predictor.device)
        try:
            self._run_into(output, Shard(index, count), self._stats)
        except DistilError as error:
            return _failure(error)
        finally:
            self._stats = None
        told, self._warnings = self._warnings, []
        return told

    def _run_into(self, output: str, shard: Shard, stats: "RunStats") -> None:
        """Run a part into a file, or into one of an object store unless it is there."""
        from distilcli.interrupt import scratch_folder
        from distilcli.rows.manifest import SUFFIX
        from distilcli.rows.remote import fetch, is_remote, send_all

        run: FileRun[Any, Any] = self._run  # type: ignore[assignment]
        if not is_remote(output):
            run.run_part(shard, output, stats)
            return
        with scratch_folder() as folder:
            part = Path(folder) / output.rpartition("/")[2]
            with suppress(FileNotFoundError):
                fetch(output + SUFFIX, Path(f"{part}{SUFFIX}"))
                part.touch()  # what describes it is enough to know whether it is the same
            if run.run_part(shard, str(part), stats):
                send_all(part, output)

    def progress(self) -> int:
        """Return the tokens of the part that were run so far."""
        stats = self._stats
        return 0 if stats is None else stats.tokens


def _failure(error: DistilError) -> Failure:
    return type(error).__name__, str(error.args[0])
