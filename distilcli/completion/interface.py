"""The command line as completion sees it, read from the commands themselves."""

import re
from dataclasses import dataclass
from typing import Any, Literal

import typer

from distilcli.checkpoint.locate import builtin_names


@dataclass(frozen=True, kw_only=True, slots=True)
class Values:
    """What an option or argument takes: words, names of files or folders, or anything."""

    name: str
    words: tuple[str, ...] = ()
    paths: Literal["files", "folders"] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """An option with its spellings, long ones first; `values` is None for a flag."""

    names: tuple[str, ...]
    help: str
    values: Values | None
    repeats: bool
    excludes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Argument:
    """A positional argument, or with `repeats` all that follow."""

    values: Values
    repeats: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """One command; `name` is empty for the program itself."""

    name: str
    help: str
    options: tuple[Option, ...]
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Interface:
    """The program's own options, and its commands."""

    root: Command
    commands: tuple[Command, ...]


def read_interface(context: typer.Context) -> Interface:
    """Read the whole program from the context of any of its commands."""
    root: Any = context.find_root()
    return Interface(
        root=_read_command("", root),
        commands=tuple(
            _read_command(name, typer.Context(command, info_name=name, parent=root))
            for name, command in sorted(root.command.commands.items())
        ),
    )


def _read_command(name: str, context: typer.Context) -> Command:
    options: list[Option] = []
    arguments: list[Argument] = []
    parameter: Any
    for parameter in context.command.get_params(context):
        if parameter.param_type_name == "argument":
            values = _read_values(parameter, context)
            arguments.append(Argument(values=values, repeats=parameter.nargs != 1))
        else:
            options += _read_option(parameter, context)
    return Command(
        name=name,
        help=_first_sentence(context.command.get_short_help_str()),
        options=tuple(options),
        arguments=tuple(arguments),
    )


def _read_option(parameter: Any, context: typer.Context) -> list[Option]:
    """Return an option; of a switch with two sides (`--cased/--uncased`), both."""
    # -h and --help come in the order of a set.
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


def _read_values(parameter: Any, context: typer.Context) -> Values:
    """Return what a parameter takes, by its choices or else its metavar."""
    name = (parameter.metavar or _long_first(parameter.opts)[0]).strip("[].-").lower()
    choices = tuple(item.value for item in parameter.shell_complete(context, ""))
    if choices:
        return Values(name=name, words=choices)
    if name in {"file", "files"}:
        return Values(name=name, paths="files")
    if name == "dir":
        return Values(name=name, paths="folders")
    if name == "model":
        return Values(name=name, words=builtin_names(), paths="folders")
    if name == "other":
        return Values(name=name, words=builtin_names(), paths="files")
    return Values(name=name)


def _first_sentence(text: str) -> str:
    """Return the first sentence of a help text, without its full stop."""
    return re.split(r"\.(?:\s|$)", " ".join(text.split()), maxsplit=1)[0]
