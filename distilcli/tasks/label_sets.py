"""Sets of labels that people name: in a list or in a file, with descriptions and examples."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distilcli.errors import InputError, UsageError
from distilcli.rows.data import open_data
from distilcli.rows.formats import INPUT_FORMATS, split_part, split_suffixes
from distilcli.rows.lists import parsed
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_value, is_blank
from distilcli.tasks.texts import text_at

_NAMED = re.compile(r"(\w+)=(.+)", re.DOTALL)
_NAMES = ("name", "label", "text")
_SEPARATOR = "|"


@dataclass(frozen=True, slots=True)
class Label:
    """A label: its name, and what helps to recognise it."""

    name: str
    description: str = ""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelSet:
    """Labels of which a text gets one; `name` is empty for a set without one."""

    name: str
    labels: tuple[Label, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the labels."""
        return tuple(label.name for label in self.labels)

    @property
    def has_examples(self) -> bool:
        """Whether any label has examples."""
        return any(label.examples for label in self.labels)


LabelsGiven = str | Sequence[str] | Sequence[Mapping[str, Any]] | LabelSet
"""Labels as a list in a text, the path of a file, names, mappings with the columns of one, or read.
"""


def label_sets(given: Iterable[LabelsGiven]) -> list[LabelSet]:
    """Read sets of labels, each a list or a file, with `NAME=` before it where there are several.

    Raises `UsageError` for sets that cannot be told apart, `InputError` for labels of no use.
    """
    sets = [_label_set(each) for each in given]
    names = [each.name for each in sets]
    if len(sets) > 1 and "" in names:
        raise UsageError("several `labels` need a name each, such as topic=sports,politics")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"`labels`: two sets are named {twice!r}")
    return sets


def path_of(given: str) -> str | None:
    """Return the path of the file that labels are in; None if they are in the text itself."""
    _, content = _named(given)
    is_named = "," not in content and split_suffixes(content)[0] in INPUT_FORMATS
    return content if is_named or Path(split_part(content)[0]).is_file() else None


def _named(given: str) -> tuple[str, str]:
    """Return the name of a set, empty without one, and the rest."""
    found = _NAMED.fullmatch(given.strip())
    return (found[1], found[2].strip()) if found else ("", given.strip())


def _label_set(given: LabelsGiven) -> LabelSet:
    if isinstance(given, LabelSet):
        return given
    name, labels, source = "", [], "`labels`"
    if not isinstance(given, str):
        labels = [_label_of(each) for each in given]
    elif (path := path_of(given)) is None:
        name, content = _named(given)
        labels = [Label(part.strip()) for part in content.split(",") if part.strip()]
    else:
        name, source = _named(given)[0], path
        with open_data(path, name="`labels`") as rows:
            labels = _read(rows)
    _check(labels, source)
    return LabelSet(name, tuple(labels))


def _label_of(given: str | Mapping[str, Any]) -> Label:
    if isinstance(given, str):
        return Label(given)
    name, description = given.get("name"), given.get("description") or ""
    if not isinstance(name, str):
        raise UsageError(f"`labels`: {given!r:.60} has no name")
    return Label(name, str(description), tuple(map(str, given.get("examples") or ())))


def _read(rows: RowSource) -> list[Label]:
    column = rows.usual_column(*_NAMES, option="a header: name, description, examples")
    by_lower = {name.lower(): name for name in rows.columns}
    description, examples = by_lower.get("description"), by_lower.get("examples")
    found: list[Label] = []
    for row in rows:
        name = text_at(row, column).strip()
        if not name:
            raise InputError(f"{row.source}: line {row.line}: a label has no name")
        about = "" if description is None else text_at(row, description).strip()
        found.append(Label(name, about, _examples(row, examples)))
    return found


def _examples(row: Row, column: str | None) -> tuple[str, ...]:
    """Return the examples in a cell: a list, also in a cell, or texts with | between them."""
    value = None if column is None else cell_value(row, column)
    if isinstance(value, str):
        listed = parsed(value) if value.lstrip().startswith("[") else None
        value = listed if isinstance(listed, list) else value.split(_SEPARATOR)
    if value is not None and not isinstance(value, list):
        raise InputError(f"{row.source}: line {row.line}: {column!r} is not a list of texts")
    return tuple(str(each).strip() for each in value or () if not is_blank(str(each)))


def _check(labels: Sequence[Label], source: str) -> None:
    names = [label.name for label in labels]
    if len(names) < 2:  # noqa: PLR2004
        raise InputError(f"{source}: give at least two labels, not {', '.join(names) or 'none'}")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"{source}: the label {twice!r} is there twice")
