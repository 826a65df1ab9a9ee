"""The options that messages name, and those that a command has."""

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module

from distilcli.app import COMMANDS, flags_of

_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9]*(?:-[a-z0-9]+)*(?![\w-]|=\*)")
_SETTING = re.compile(r"`([a-z][a-z0-9_]*)`")
_COMMAND_LINE = re.compile(r"\bdistil (?:[a-z]+|…)(?: [^`;\n]*)?")
COMMON = {"--help", "--version"}


@cache
def flags_of_command(name: str) -> dict[str, str]:
    """Return how each setting of a command is written."""
    return flags_of(getattr(import_module(COMMANDS[name].module), name))


@cache
def all_settings() -> frozenset[str]:
    """Return the settings of all commands."""
    return frozenset(name for command in COMMANDS for name in flags_of_command(command))


def flags_in(text: str) -> list[str]:
    """Return the flags that a text names, but for those of whole command lines in it."""
    return _FLAG.findall(_COMMAND_LINE.sub("", text))


def settings_in(text: str) -> list[str]:
    """Return the settings that a text names by their Python names."""
    return _SETTING.findall(text)


def command_lines_in(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the command and the flags of each command line that a text shows."""
    for line in _COMMAND_LINE.findall(text):
        command = line.split()[1]
        if command in COMMANDS:
            yield command, _FLAG.findall(line)


def foreign_options(command: str, text: str) -> list[str]:
    """Return the options that a message of a command names and the command does not have."""
    own = flags_of_command(command)
    flags = {*own.values(), *COMMON}
    flags |= {f"--no-{flag[2:]}" for flag in flags} | {"--uncased", "--lr"}
    found = [flag for flag in flags_in(text) if flag not in flags]
    return found + [
        name for name in settings_in(text) if name not in own and name in all_settings()
    ]
