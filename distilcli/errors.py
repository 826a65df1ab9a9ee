"""The errors that users see: each class knows its exit code, each message is one line.

A message says what is wrong, where (file, line, column) and the way out. It names a setting by
its Python name in backticks (`max_length`); while a command runs, `distilcli.app` has it spelled
as that command's own flag (--max-length).
"""

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_SETTING = re.compile(r"`([a-z][a-z0-9_]*)`")
_flags: list[Mapping[str, str]] = []


@contextmanager
def settings_spelled(flags: Mapping[str, str]) -> Iterator[None]:
    """Spell the settings that are keys of `flags` as their values, in every message and thread."""
    _flags.append(flags)
    try:
        yield
    finally:
        _flags.pop()


def spelled(message: str) -> str:
    """Return a message with each `setting` spelled as people give it here."""
    flags = _flags[-1] if _flags else {}
    return _SETTING.sub(lambda found: flags.get(found[1], found[0]), message)


class DistilError(Exception):
    """Base of every error whose cause is outside this program."""

    exit_code = 1

    def __str__(self) -> str:
        return spelled(super().__str__())

    @property
    def settings(self) -> list[str]:
        """The settings that the message is about, by their Python names."""
        return _SETTING.findall(super().__str__())


class UsageError(DistilError):
    """The settings make no sense, alone or together (exit code 2)."""

    exit_code = 2


class InputError(DistilError):
    """An input file or one of its rows cannot be read (exit code 3)."""

    exit_code = 3


class ModelError(DistilError):
    """A model folder, checkpoint or tokenizer cannot be used (exit code 4)."""

    exit_code = 4


class HeadError(ModelError):
    """A model has no trained head for the task."""


class ResourceError(DistilError):
    """Memory, disk, device or network is not enough (exit code 5)."""

    exit_code = 5


class RowError(InputError):
    """One row cannot be used; the run goes on unless `on_error` is stop."""


class DataWarning(UserWarning):
    """How rows were read where there was a choice, or what looks wrong with them."""


def tell(message: str) -> None:
    """Warn of what was found out about rows; a command shows it as a line."""
    warnings.warn(spelled(message), DataWarning, stacklevel=3)


class GateError(DistilError):
    """A measurement missed a required threshold (exit code 7)."""

    exit_code = 7
