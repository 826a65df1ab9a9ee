"""Training rows from several files, each with its weight and its own columns."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from distilcli.errors import UsageError
from distilcli.rows.data import open_data
from distilcli.rows.reader import RowSource
from distilcli.training.datasets.base import DatasetOptions

Found = TypeVar("Found")

_PART = re.compile(r"(?P<path>.+?)=(?P<weight>[0-9.]+)(?P<columns>(:(text|label)=[^:]+)*)")
_MOST = 1_000


@dataclass(frozen=True, slots=True)
class MixPart:
    """A file, how often each of its rows is read in an epoch, and its columns if they are named."""

    path: str
    weight: float
    text_column: str | None = None
    label_column: str | None = None


def parse_mix(given: str | Sequence[str]) -> tuple[MixPart, ...]:
    """Return the parts of `a.csv=2,b.csv=0.5:text=body:label=topic`, or of a list of these.

    Raises `UsageError` for another form, and for a file that comes twice.
    """
    written = given.split(",") if isinstance(given, str) else given
    parts = tuple(_part(each.strip()) for each in written if each.strip())
    paths = [part.path for part in parts]
    if not paths:
        raise UsageError("`mix` names no file; write FILE=WEIGHT,FILE=WEIGHT")
    if twice := next((path for path in paths if paths.count(path) > 1), None):
        raise UsageError(f"`mix`: {twice} is named twice; give it one weight")
    return parts


def _part(text: str) -> MixPart:
    match = _PART.fullmatch(text)
    weight = _number(match["weight"]) if match else math.nan
    if match is None or not 0 < weight <= _MOST:
        raise UsageError(
            f"`mix` {text!r}: write FILE=WEIGHT with a weight above 0, and :text=COLUMN or "
            ":label=COLUMN after it if need be"
        )
    columns = dict(each.split("=", 1) for each in match["columns"].split(":")[1:])
    return MixPart(match["path"], weight, columns.get("text"), columns.get("label"))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


class Mixture:
    """The opened files of a mixture; `weights` are those of their rows, by the names of files."""

    columns = ()

    def __init__(self, parts: Sequence[MixPart], settings: Mapping[str, object]) -> None:
        """Raise what `open_rows` does."""
        self._parts = [
            (part, open_data(part.path, name="", **_of_part(part, settings))) for part in parts
        ]
        self.weights = {
            name: part.weight
            for part, source in self._parts
            for name, _ in source.named_paths or [(source.name, Path())]
        }

    @property
    def name(self) -> str:
        """The names of the files, for messages."""
        return " and ".join(source.name for _, source in self._parts)

    @property
    def text_column(self) -> str:
        """The column of the text in each file, for people."""
        return ", ".join(dict.fromkeys(source.text_column for _, source in self._parts))

    @property
    def paths(self) -> list[Path]:
        """The paths of the files."""
        return [path for _, source in self._parts for path in source.paths]

    def new_notes(self) -> list[str]:
        """Return what users should know of the files and have not been told, a line each."""
        return [note for _, source in self._parts for note in source.new_notes()]

    def sources(self, options: DatasetOptions) -> list[tuple[RowSource, DatasetOptions]]:
        """Return the rows of each file, with the columns that they are read from."""
        return [
            (
                source,
                replace(
                    options,
                    columns=replace(
                        options.columns,
                        text_column=part.text_column or options.columns.text_column,
                        label_column=part.label_column or options.columns.label_column,
                    ),
                ),
            )
            for part, source in self._parts
        ]


def _of_part(part: MixPart, settings: Mapping[str, object]) -> dict[str, object]:
    return {**settings, **({"text_column": part.text_column} if part.text_column else {})}


TrainingRows = RowSource | Mixture
"""Where training rows come from."""


def read_all(
    rows: TrainingRows,
    options: DatasetOptions,
    read: Callable[[RowSource, DatasetOptions], list[Found]],
) -> list[Found]:
    """Read the rows of every file with the columns of its own."""
    sources = rows.sources(options) if isinstance(rows, Mixture) else [(rows, options)]
    return [row for source, of_source in sources for row in read(source, of_source)]
