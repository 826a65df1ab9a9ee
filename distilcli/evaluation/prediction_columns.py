"""Predictions in files, as the commands write them: columns of rows, or SQuAD's answers by ids.

The columns are `label` and `score`, `labels`, `answer`, `tags`, `choice_index` and so on, with a
prefix before them.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distilcli.errors import InputError
from distilcli.gold.cells import number_of
from distilcli.rows.reader import RowSource, read_text
from distilcli.rows.row import Row, cell_value
from distilcli.rows.row_writer import RENAMING
from distilcli.tasks.spec import TASKS, TaskSpec, task_spec

if TYPE_CHECKING:
    from distilcli.evaluation.results.base import Results

_COMMON = ("label", "answer", "score")
"""Columns that data may have as well, the most telling first."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A label, labels, tags, an answer or a number, with probabilities as far as they are known.

    `score` is that of the value, `scores` those of all labels, `no_answer` that of no answer. The
    value of a row whose model has `abstained` is None.
    """

    value: Any
    score: float | None = None
    scores: Mapping[str, float] | None = None
    no_answer: float | None = None
    abstained: bool = False


def read_answers(path: str) -> dict[str, Prediction]:
    """Read answers by ids as the official SQuAD scripts do; raise `InputError` for other JSON."""
    try:
        found = json.loads(read_text(path))
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {error}") from None
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise InputError(
            f"{path}: not an object of answers by ids; rows of predictions are read from .jsonl"
        )
    return {key: Prediction(text) for key, text in found.items()}


def task_of_columns(columns: Sequence[str], prefixes: Sequence[str]) -> TaskSpec | None:
    """Return the task whose predictions have such columns, None if they say nothing.

    More columns say more than one, and a column that only predictions have more than a common one.
    """
    signatures = [(signature, spec) for spec in TASKS.values() for signature in spec.signatures]
    signatures.sort(key=lambda found: _telling(found[0]))
    for prefix in prefixes:
        for signature, spec in signatures:
            if {prefix + name for name in signature} <= set(columns):
                return spec
    return None


def _telling(signature: tuple[str, ...]) -> tuple[int, int]:
    name = signature[0]
    common = len(signature) == 1 and name in _COMMON
    return -len(signature), _COMMON.index(name) + 1 if common else 0


class PredictedColumns:
    """The columns of a file that hold predictions, found by their names or by the prefix."""

    def __init__(self, source: RowSource, *, prefix: str | None, task: str | None) -> None:
        """Raise `InputError` if no column has predictions of a known task."""
        self.source = source
        prefixes = (RENAMING, "") if prefix is None else (prefix,)
        self.task = _task(source, prefixes, task)
        self._results: type[Results] = self.task.load(self.task.results)
        leading, *_ = self.task.predicted
        if source.format in {"conll", "txt"}:
            self._prefix, self.first = "", source.columns[-1]
            return
        wanted = [each + leading for each in prefixes]
        known = next((name for name in wanted if name in source.columns), None)
        if known is None:
            raise InputError(
                f"{source.name}: no column {wanted[-1]!r} with predictions of {self.task.name} "
                f"(columns: {', '.join(source.columns)})"
            )
        self._prefix, self.first = known.removesuffix(leading), known

    @property
    def all(self) -> list[str]:
        """Every column with predictions that the file has."""
        others = (self.named(name) for name in self.task.predicted[1:])
        return [self.first, *(name for name in others if name is not None)]

    def value(self, row: Row) -> Prediction:
        """Return what was predicted for a row; raise `InputError` if it cannot be read."""
        return self._results.read_prediction(self, row)

    def named(self, name: str) -> str | None:
        """Return the column of that name behind the prefix, None if the file has none."""
        name = self._prefix + name
        return name if name in self.source.columns and self.source.format != "conll" else None

    def number(self, row: Row, name: str) -> float | None:
        """Return the number in a column of that name, None if the file has none."""
        column = self.named(name)
        return None if column is None else number_of(column)(row)

    def abstained(self, row: Row) -> bool:
        """Whether the file says that the model has abstained from a row."""
        column = self.named("abstained")
        return column is not None and str(cell_value(row, column)).lower() == "true"

    def scores(self, row: Row) -> dict[str, float] | None:
        """Return the probability of every label, from the columns `score_LABEL`.

        A column of that name may hold something else: what is not a number there is NaN.
        """
        start = self._prefix + "score_"
        named = [name for name in self.source.columns if name.startswith(start)]
        found = {name.removeprefix(start): _number_if_any(row, name) for name in named}
        # score_2 beside label_2 is the second best, not the label 2.
        beside = {name for name in found if self.named(f"label_{name}")}
        return {name: score for name, score in found.items() if name not in beside} or None


def _task(source: RowSource, prefixes: Sequence[str], task: str | None) -> TaskSpec:
    if task is not None:
        return task_spec(task)
    if source.format == "conll":
        return TASKS["tag"]
    found = None if source.format == "txt" else task_of_columns(source.columns, prefixes)
    if found is None:
        way_out = "give `task`" if source.format == "txt" else "give `prefix` or `task`"
        raise InputError(
            f"{source.name}: no column says what was predicted; {way_out} "
            f"(columns: {', '.join(source.columns)})"
        )
    return found


def _number_if_any(row: Row, column: str) -> float:
    try:
        return number_of(column)(row)
    except InputError:
        return math.nan
