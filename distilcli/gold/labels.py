"""Labels by name: their order in a model, unknown ones, and a map from those of the data."""

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from distilcli.errors import InputError, UsageError


class LabelError(InputError):
    """The rows lack labels that are needed."""


_NUMBER = re.compile(r"[-+]?\d+")
_DECIMAL = re.compile(r"[-+]?\d+(?:\.\d*)?")
_LISTED = 10


def ordered(
    names: Collection[str], known: Sequence[str] = (), *, given: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return labels in the order of a model's outputs.

    Labels that the user has `given` are kept even if no row has them. The order is that of `known`,
    a model's labels, if they are the same; otherwise the given order, or else numbers by value and
    names by the alphabet.
    """
    if set(given or names) == set(known):
        return tuple(known)
    if given:
        return tuple(given)
    if all(_NUMBER.fullmatch(name) for name in names):
        # 7 and 07 are two labels of one value: the text decides between them.
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def label_indices(
    names: Sequence[str], used: Iterable[str], *, source: str, taught: bool = False
) -> dict[str, int]:
    """Return the index of every label; raise `InputError` for a `used` one that has none.

    The names are the teacher's if the model is `taught`, else those of the training rows.
    """
    unknown = sorted(set(used) - set(names))
    if unknown:
        lacking, whose = ("teacher does", "its") if taught else ("training rows do", "theirs")
        raise LabelError(
            f"{source}: has the label {unknown[0]!r}, which the {lacking} not have"
            f"{did_you_mean(unknown[0], names)} ({whose}: {some(names)})"
        )
    return {name: index for index, name in enumerate(names)}


def named_number(label: str, names: Sequence[str], *, place: str) -> str:
    """Return the name of a label that is a number, counted from 0, or the label if it is a name.

    Raises `InputError` for any other.
    """
    if label in names:
        return label
    number = float(label) if _DECIMAL.fullmatch(label) else -1.0
    if number.is_integer() and 0 <= number < len(names):
        return names[int(number)]
    raise InputError(
        f"{place}: {label!r} is neither one of the `labels` ({some(names)}) nor the number of one, "
        "from 0"
    )


def equal_numbers(labels: Iterable[str]) -> list[tuple[str, str]]:
    """Return pairs of labels that are one number, such as 1 and 1.0, the shorter first."""
    found: dict[float, str] = {}
    decimal = (label for label in labels if _DECIMAL.fullmatch(label))
    return [
        (first, label)
        for label in sorted(decimal, key=lambda label: (len(label), label))
        if (first := found.setdefault(float(label), label)) != label and "." in label
    ]


def did_you_mean(label: str, names: Iterable[str]) -> str:
    """Return a hint at the label that is nearest to a misspelt one, empty if none is near."""
    by_lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(label.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[near[0]]!r}?" if near else ""


def some(names: Sequence[str]) -> str:
    """Return the first labels for a message."""
    return ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "")


def label_map(parts: Iterable[str]) -> Mapping[str, str]:
    """Read `LABEL=NAME` pairs: what the model calls the labels of the data.

    Raises `UsageError` for anything else, and for a label with two names.
    """
    names: dict[str, str] = {}
    for part in parts:
        label, sign, name = (text.strip() for text in part.partition("="))
        if not (label and sign and name):
            raise UsageError(f"`label_map` {part}: write LABEL=NAME, such as 0=negative")
        if names.setdefault(label, name) != name:
            raise UsageError(
                f"`label_map`: {label} is both {names[label]} and {name}; give it one name"
            )
    return names
