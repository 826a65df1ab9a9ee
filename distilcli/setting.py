"""Settings: fields of dataclasses that say how the command line offers them."""

from collections.abc import Sequence
from dataclasses import field
from typing import Any


def setting(
    default: object,
    explanation: str,
    *spellings: str,
    also: Sequence[str] = (),
    topic: str | None = None,
    metavar: str | None = None,
    min: float | None = None,  # noqa: A002 - Typer's own word
    max: float | None = None,  # noqa: A002
) -> Any:
    """Declare a setting with its help, as a field of a dataclass.

    `default` is `dataclasses.MISSING` for one that is required. `spellings` are its flags, by
    default `--its-name`, and `also` those that are hidden; `topic` is its heading in the help.
    """
    option = {"topic": topic, "metavar": metavar, "min": min, "max": max}
    metadata = {"help": (explanation, *spellings), "also": also, **option}
    return field(default=default, metadata=metadata)
