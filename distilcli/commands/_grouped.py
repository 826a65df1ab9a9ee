"""Options in groups: a dataclass for each, which a command's function takes as one object."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from typing import Any


def grouped(*groups: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the decorator that gives a command the fields of `groups` as options.

    Its function is called with an object of each group, in order, and its own options by name.
    What a user sees lists its own options after the first group.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        own = list(inspect.signature(command).parameters.values())[len(groups) :]
        names = {group: [field.name for field in fields(group)] for group in groups}

        def run(**given: Any) -> Any:
            objects = [
                group(**{name: given.pop(name) for name in names[group]}) for group in groups
            ]
            return command(*objects, **given)

        first, *others = [parameters_of(group) for group in groups]
        return shown_as(run, command, [*first, *own, *(each for part in others for each in part)])

    return decorate


def parameters_of(group: type) -> list[inspect.Parameter]:
    """Return a parameter for each field of a dataclass."""
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=field.type,
        )
        for field in fields(group)
    ]


def shown_as(
    run: Callable[..., Any], command: Callable[..., Any], parameters: Sequence[inspect.Parameter]
) -> Callable[..., Any]:
    """Give `run` the name and the help of `command`, and a signature: that is what Typer reads."""
    run.__name__, run.__doc__, run.__module__ = (
        command.__name__, command.__doc__, command.__module__,
    )  # fmt: skip
    keywords = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
    run.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
