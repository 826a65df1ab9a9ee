"""The one way to declare options: alone or in groups, with hidden spellings and a help topic.

A group is a dataclass whose fields are settings (`distilcli.setting`) or annotated options. The
decorator `options` turns a function whose parameters are groups and options into a command.
"""

import copy
import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Annotated, Any, get_origin

import typer

from distilcli.errors import UsageError

Function = Callable[..., object]


def opt(
    explanation: str,
    *spellings: str,
    topic: str | None = None,
    metavar: str | None = None,
    min: float | None = None,  # noqa: A002 - Typer's own word
    max: float | None = None,  # noqa: A002
) -> object:
    """Annotate an option; `topic` is its heading in the help, `--its-name` its usual spelling."""
    return typer.Option(
        *spellings, help=explanation, rich_help_panel=topic, metavar=metavar, min=min, max=max
    )


def argument(explanation: str, metavar: str, *, topic: str = "Input") -> object:
    """Annotate an argument."""
    return typer.Argument(help=explanation, metavar=metavar, rich_help_panel=topic)


class Also:
    """Hidden spellings of an option."""

    def __init__(self, *spellings: str) -> None:
        self.spellings = spellings


def listed(value: str | None) -> list[str]:
    """Return the parts of a comma-separated value."""
    return [part.strip() for part in (value or "").split(",") if part.strip()]


def _declarations(command: Function) -> Iterator[tuple[str, object]]:
    for name, parameter in inspect.signature(command).parameters.items():
        for each in getattr(parameter.annotation, "__metadata__", ()):
            yield name, each


def spellings_of(command: Function) -> dict[str, tuple[str, ...]]:
    """Return the spellings of each parameter of a command, the shown one first."""
    found: dict[str, tuple[str, ...]] = {}
    for name, each in _declarations(command):
        if isinstance(each, typer.models.ArgumentInfo):
            found[name] = (each.metavar or name.upper(),)
        elif isinstance(each, typer.models.OptionInfo):
            # In Annotated, Typer takes the first spelling for the default.
            declared = (str(each.default), *(each.param_decls or ()))
            found[name] = tuple(part for spelling in declared for part in spelling.split("/"))
    return found


def _switches(command: Function) -> list[str]:
    """Return the names of the options that take no value."""
    parameters = inspect.signature(command).parameters.items()
    return [name for name, each in parameters if getattr(each.annotation, "__origin__", 0) is bool]


def flags_of(command: Function) -> dict[str, str]:
    """Return the spelling of each parameter that messages use."""
    return {name: spellings[0] for name, spellings in spellings_of(command).items()}


def as_shown(command: Function, words: Sequence[str]) -> list[str]:
    """Replace hidden spellings in a command line by the shown ones.

    A hidden spelling that is also a flag of the command counts only if a value follows. A sheet of
    standard input, `-::SHEET`, which would be an option, becomes `stdin::SHEET`.
    """
    spellings = spellings_of(command)
    flags = {each for parts in spellings.values() for each in parts}
    also = {
        hidden: spellings[name][0]
        for name, each in _declarations(command)
        if isinstance(each, Also)
        for hidden in each.spellings
    }
    switches = {each for name in _switches(command) for each in spellings[name]}
    shown: list[str] = []
    for position, word in enumerate(words):
        if word == "--":
            return [*shown, *words[position:]]
        spelling, equals, value = word.partition("=")
        following = words[position + 1] if position + 1 < len(words) else "-x"
        has_value = equals or following == "-" or not following.startswith("-")
        before = words[position - 1] if position else ""
        if spelling in also and (has_value or spelling not in flags):
            shown.append(also[spelling] + equals + value)
        elif word.startswith("-::") and (before not in flags or before in switches):
            shown.append(f"stdin{word[1:]}")
        else:
            shown.append(word)
    return shown


class GivenOptions(frozenset[str]):
    """The settings given on the command line, by name; all others have their default."""

    def refuse(self, names: Iterable[str], why: str) -> None:
        """Raise `UsageError` for an option that has no effect."""
        for name in names:
            if name in self:
                raise UsageError(f"`{name}` {why}")

    def at_most_one(self, *names: str) -> None:
        """Raise `UsageError` if more than one of the options is given."""
        found = [f"`{name}`" for name in names if name in self]
        if len(found) > 1:
            raise UsageError(f"{found[0]} and {found[1]} do not go together; give one of them")


def options(
    *,
    topic: str = "Options",
    leave_out: Collection[str] = (),
    types: Mapping[str, object] | None = None,
    **defaults: object,
) -> Callable[[Function], Function]:
    """Return the decorator that turns a function with groups of options into a command.

    `topic` is the heading of the command's own options. `leave_out` names options of the groups
    that the command lacks; `types` and `defaults` replace those of others.
    """

    def decorate(command: Function) -> Function:
        own = inspect.signature(command).parameters
        # The command's own options first, then those of groups.
        declared = sorted(own.values(), key=lambda each: is_dataclass(each.annotation))
        shown: dict[str, inspect.Parameter] = {}
        for each in (part for group in declared for part in _flattened(group, topic, types or {})):
            if each.name not in leave_out:
                default = defaults.get(each.name, each.default)
                shown.setdefault(each.name, each.replace(default=default))

        def run(typer_context: typer.Context, **values: object) -> object:
            given = GivenOptions(
                name
                for name in values
                if getattr(typer_context.get_parameter_source(name), "name", "") == "COMMANDLINE"
            )
            return with_values(values, given)

        def with_values(
            values: Mapping[str, object], given: GivenOptions, **hidden: object
        ) -> object:
            """Run the command; `hidden` are fields of its groups that no option sets."""
            every: dict[str, object] = {**defaults, **values, **hidden}
            every |= {"given": given, "command": command.__name__}
            every["values"] = {**defaults, **values}
            groups = {
                name: _group(each.annotation, every)
                for name, each in own.items()
                if is_dataclass(each.annotation)
            }
            alone = {name: every.get(name, each.default) for name, each in own.items()}
            return command(**{**alone, **groups})

        run.with_values = with_values  # type: ignore[attr-defined]
        run.__name__, run.__doc__, run.__module__ = (
            command.__name__, command.__doc__, command.__module__,
        )  # fmt: skip
        context = inspect.Parameter(
            "typer_context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context
        )
        signature = inspect.Signature([context, *shown.values()])
        run.__signature__ = signature  # type: ignore[attr-defined]
        run.__annotations__ = {name: each.annotation for name, each in signature.parameters.items()}
        return run

    return decorate


def _flattened(
    parameter: inspect.Parameter, topic: str, types: Mapping[str, object]
) -> Iterator[inspect.Parameter]:
    """Yield the options that a parameter stands for: itself, or those of a group."""
    kind = types.get(parameter.name, parameter.annotation)
    if get_origin(kind) is Annotated:
        annotation = _under(kind, topic, parameter.name)
        yield parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
    elif is_dataclass(kind):
        for each in fields(kind):
            default = inspect.Parameter.empty if each.default is MISSING else each.default
            part = parameter.replace(name=each.name, default=default, annotation=_declared(each))
            yield from _flattened(part, getattr(kind, "topic", topic), types)


def _declared(each: "Field[object]") -> object:
    """Return the type of a field, as an option if it is a setting."""
    about = dict(each.metadata)
    if not about:
        return each.type
    explanation, also = about.pop("help"), about.pop("also")
    return _annotated(each.type, (opt(*explanation, **about), Also(*also)))


def _annotated(kind: object, metadata: Iterable[object]) -> object:
    return Annotated.__class_getitem__((kind, *metadata))  # type: ignore[attr-defined]


def _under(kind: Any, topic: str, name: str) -> object:
    """Return the annotation of an option, with a topic and a spelling where it has none."""
    metadata = [copy.copy(each) for each in kind.__metadata__]
    for each in metadata:
        if isinstance(each, typer.models.ParameterInfo) and each.rich_help_panel is None:
            each.rich_help_panel = topic
        if isinstance(each, typer.models.OptionInfo) and each.default is ...:
            each.default = f"--{name.replace('_', '-')}"  # else Typer gives flags a --no- as well
    return _annotated(kind.__origin__, metadata)


def _group(kind: Any, values: Mapping[str, object]) -> object:
    """Return a group made of the values of its options; a group may contain others."""
    parts = {
        each.name: _group(each.type, values) if is_dataclass(each.type) else values[each.name]
        for each in fields(kind)
        if is_dataclass(each.type) or each.name in values
    }
    return kind(**parts)
