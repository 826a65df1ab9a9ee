"""The one way to declare options: alone or in groups, with hidden spellings and a help topic.

A group is a dataclass; each of its fields that is annotated as an option is one. The decorator
`options` makes a function whose parameters are groups and options a command.
"""

import copy
import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Annotated, Any, get_origin

import typer

from distilcli.errors import UsageError


def opt(
    explanation: str,
    *spellings: str,
    topic: str | None = None,
    metavar: str | None = None,
    min: float | None = None,  # noqa: A002 - Typer's own word
    max: float | None = None,  # noqa: A002
) -> Any:
    """Declare an option; `topic` is its heading in the help, `--its-name` its usual spelling."""
    return typer.Option(
        *spellings, help=explanation, rich_help_panel=topic, metavar=metavar, min=min, max=max
    )


def argument(explanation: str, metavar: str, *, topic: str = "Input") -> Any:
    """Declare an argument."""
    return typer.Argument(help=explanation, metavar=metavar, rich_help_panel=topic)


class Also:
    """Further spellings of an option, which are understood and shown nowhere."""

    def __init__(self, *spellings: str) -> None:
        self.spellings = spellings


def listed(value: str | None) -> list[str]:
    """Return the parts of a comma-separated value."""
    return [part.strip() for part in (value or "").split(",") if part.strip()]


def _declarations(command: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    for name, parameter in inspect.signature(command).parameters.items():
        for each in getattr(parameter.annotation, "__metadata__", ()):
            yield name, each


def spellings_of(command: Callable[..., Any]) -> dict[str, tuple[str, ...]]:
    """Return how each parameter of a command is written: all spellings, the shown one first."""
    found: dict[str, tuple[str, ...]] = {}
    for name, each in _declarations(command):
        if isinstance(each, typer.models.ArgumentInfo):
            found[name] = (each.metavar or name.upper(),)
        elif isinstance(each, typer.models.OptionInfo):
            # In Annotated, Typer takes the first spelling for the default.
            declared = (str(each.default), *(each.param_decls or ()))
            found[name] = tuple(part for spelling in declared for part in spelling.split("/"))
    return found


def flags_of(command: Callable[..., Any]) -> dict[str, str]:
    """Return the one spelling of each parameter that people are told."""
    return {name: spellings[0] for name, spellings in spellings_of(command).items()}


def as_shown(command: Callable[..., Any], words: Sequence[str]) -> list[str]:
    """Replace further spellings among the words of a command line by the shown ones.

    A further spelling that is also a flag of the command counts only if a value follows.
    """
    spellings = spellings_of(command)
    flags = {each for parts in spellings.values() for each in parts}
    also = {
        further: spellings[name][0]
        for name, each in _declarations(command)
        if isinstance(each, Also)
        for further in each.spellings
    }
    shown: list[str] = []
    for position, word in enumerate(words):
        if word == "--":
            return [*shown, *words[position:]]
        spelling, equals, value = word.partition("=")
        following = words[position + 1] if position + 1 < len(words) else "-x"
        has_value = equals or following == "-" or not following.startswith("-")
        if spelling in also and (has_value or spelling not in flags):
            shown.append(also[spelling] + equals + value)
        else:
            shown.append(word)
    return shown


class GivenOptions(frozenset[str]):
    """The settings that the command line gives, by name; all others have their default."""

    def refuse(self, names: Iterable[str], why: str) -> None:
        """Raise `UsageError` for an option that has no effect."""
        for name in names:
            if name in self:
                raise UsageError(f"`{name}` {why}")

    def at_most_one(self, *names: str) -> None:
        """Raise `UsageError` for options that exclude each other."""
        both = [f"`{name}`" for name in names if name in self]
        if len(both) > 1:
            raise UsageError(f"{both[0]} and {both[1]} do not go together; give one of them")


def options(
    *,
    topic: str = "Options",
    leave_out: Collection[str] = (),
    types: Mapping[str, Any] | None = None,
    **defaults: object,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the decorator that makes a command of a function that takes groups of options.

    `topic` is the heading of the command's own options. Of the groups, `leave_out` names the
    options that the command does not have; `types` and `defaults` replace those of others.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        own = inspect.signature(command).parameters
        # The command's own options first, then those of groups.
        declared = sorted(own.values(), key=lambda each: is_dataclass(each.annotation))
        shown = [
            each
            for parameter in declared
            for each in _flattened(parameter, topic, types or {})
            if each.name not in leave_out
        ]
        shown = [each.replace(default=defaults.get(each.name, each.default)) for each in shown]

        def run(typer_context: typer.Context, **values: Any) -> Any:
            given = GivenOptions(
                name
                for name in values
                if getattr(typer_context.get_parameter_source(name), "name", "") == "COMMANDLINE"
            )
            values = {**defaults, **values, "given": given}
            return command(
                **{
                    name: _object(each.annotation, values)
                    if is_dataclass(each.annotation)
                    else given
                    if each.annotation is GivenOptions
                    else values.get(name, each.default)
                    for name, each in own.items()
                }
            )

        run.__name__, run.__doc__, run.__module__ = (
            command.__name__, command.__doc__, command.__module__,
        )  # fmt: skip
        context = inspect.Parameter(
            "typer_context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context
        )
        signature = inspect.Signature([context, *shown])
        run.__signature__ = signature  # type: ignore[attr-defined]
        run.__annotations__ = {name: each.annotation for name, each in signature.parameters.items()}
        return run

    return decorate


def _flattened(
    parameter: inspect.Parameter, topic: str, types: Mapping[str, Any]
) -> Iterator[inspect.Parameter]:
    """Yield the options that a parameter stands for: itself, or those of a group."""
    kind = types.get(parameter.name, parameter.annotation)
    if get_origin(kind) is Annotated:
        annotation = _under(kind, topic, parameter.name)
        yield parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
    elif is_dataclass(kind):
        for field in fields(kind):
            default = inspect.Parameter.empty if field.default is MISSING else field.default
            part = parameter.replace(name=field.name, default=default, annotation=field.type)
            yield from _flattened(part, getattr(kind, "topic", topic), types)


def _under(kind: Any, topic: str, name: str) -> Any:
    """Return the annotation of an option, with a topic and a spelling where it has none."""
    metadata = [copy.copy(each) for each in kind.__metadata__]
    for each in metadata:
        if isinstance(each, typer.models.ParameterInfo) and each.rich_help_panel is None:
            each.rich_help_panel = topic
        if isinstance(each, typer.models.OptionInfo) and each.default is ...:
            each.default = f"--{name.replace('_', '-')}"  # else Typer gives flags a --no- as well
    return Annotated.__class_getitem__((kind.__origin__, *metadata))  # type: ignore[attr-defined]


def _object(kind: Any, values: Mapping[str, Any]) -> Any:
    """Return a group made of the values of its options."""
    return kind(
        **{
            field.name: _object(field.type, values)
            if is_dataclass(field.type)
            else values[field.name]
            for field in fields(kind)
            if is_dataclass(field.type) or field.name in values
        }
    )
