"""The command line as the completion scripts need it, read from the commands."""

import re
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import typer

from distilcli.checkpoint.locate import builtin_names

Parameter = Any
"""An option or argument, as Typer has it."""

Paths = Literal["files", "folders"]
_PATHS: dict[str, Paths] = {
    "file": "files", "files": "files", "dir": "folders", "model": "folders", "other": "files",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Values:
    """What an option or argument takes: words, names of files or folders, or anything."""

    name: str
    words: tuple[str, ...] = ()
    paths: Paths | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """An option with its spellings, long ones first; `values` is None for a flag."""

    names: tuple[str, ...]
    help: str
    values: Values | None
    repeats: bool
    excludes: tuple[str, ...] = ()


class Argument(NamedTuple):
    """A positional argument, or with `repeats` all that follow."""

    values: Values
    repeats: bool


class Command(NamedTuple):
    """One command; `name` is empty for the program itself."""

    name: str
    help: str
    options: tuple[Option, ...]
    arguments: tuple[Argument, ...]


class Interface(NamedTuple):
    """The program's own options, and its commands."""

    root: Command
    commands: tuple[Command, ...]


def read_interface(context: typer.Context) -> Interface:
    """Read the whole program from the context of any of its commands."""
    root: Any = context.find_root()
    commands = (
        _read_command(name, typer.Context(command, info_name=name, parent=root))
        for name, command in sorted(root.command.commands.items())
    )
    return Interface(_read_command("", root), tuple(commands))


def _read_command(name: str, context: typer.Context) -> Command:
    options: list[Option] = []
    arguments: list[Argument] = []
    parameter: Parameter
    for parameter in context.command.get_params(context):
        if parameter.param_type_name == "argument":
            arguments.append(Argument(_read_values(parameter, context), parameter.nargs != 1))
        else:
            options += _read_option(parameter, context)
    summary = _first_sentence(context.command.get_short_help_str())
    return Command(name, summary, tuple(options), tuple(arguments))


def _read_option(parameter: Parameter, context: typer.Context) -> list[Option]:
    """Return an option, or both sides of a switch (`--cased/--uncased`)."""
    # Sorted, because -h and --help come in the order of a set.
    sides = [_long_first(names) for names in (parameter.opts, parameter.secondary_opts) if names]
    return [
        Option(
            names=names,
            help=_first_sentence(parameter.help or ""),
            values=None if parameter.is_flag else _read_values(parameter, context),
            repeats=parameter.multiple,
            excludes=tuple(name for side in sides if side != names for name in side),
        )
        for names in sides
    ]


def _long_first(names: list[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=lambda name: not name.startswith("--")))


def _read_values(parameter: Parameter, context: typer.Context) -> Values:
    """Return what a parameter takes, by its choices or else its metavar."""
    name = (parameter.metavar or _long_first(parameter.opts)[0]).strip("[].-").lower()
    choices = tuple(item.value for item in parameter.shell_complete(context, ""))
    models = builtin_names() if name in {"model", "other"} else ()
    paths = None if choices else _PATHS.get(name)
    return Values(name=name, words=choices or models, paths=paths)


def _first_sentence(text: str) -> str:
    """Return the first sentence of a help text, without its full stop."""
    return re.split(r"\.(?:\s|$)", " ".join(text.split()), maxsplit=1)[0]
