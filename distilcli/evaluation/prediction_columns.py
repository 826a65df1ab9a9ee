"""Predictions in files, as the commands write them: columns of rows, or SQuAD's answers by ids.

The columns are `label` and `score`, `labels`, `answer`, `tags`, `choice_index` and so on, with a
prefix before them.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from distilcli.errors import InputError
from distilcli.evaluation.tasks import Task, task_of_columns
from distilcli.gold import cells as gold
from distilcli.rows.reader import RowSource, read_text
from distilcli.rows.row import Row, cell_text, cell_value
from distilcli.rows.row_writer import RENAMING
from distilcli.tasks.choose import Choice
from distilcli.tasks.perplexity import PseudoPerplexity


@dataclass(frozen=True, slots=True)
class Guess:
    """A label, or an answer, with its probability, and those of all labels as far as known."""

    label: str
    score: float | None = None
    scores: Mapping[str, float] | None = None
    no_answer: float | None = None


LabelsGuess = tuple[list[str], dict[str, float] | None]
"""Labels, and the probabilities of all as far as known."""


def read_answers(path: str) -> dict[str, Guess]:
    """Read answers by ids as the official SQuAD scripts do; raise `InputError` for other JSON."""
    try:
        found = json.loads(read_text(path))
    except ValueError as error:
        raise InputError(f"{path}: is no JSON: {error}") from None
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise InputError(f"{path}: is no object of answers by ids; rows are evaluated as .jsonl")
    return {key: Guess(text) for key, text in found.items()}


class PredictedColumns:
    """The columns of a file that hold predictions, found by their names or by the prefix given."""

    def __init__(self, source: RowSource, *, prefix: str | None, task: Task | None) -> None:
        """Raise `InputError` where no column is one of predictions of a known kind."""
        self.source = source
        prefixes = (RENAMING, "") if prefix is None else (prefix,)
        found = "tag" if source.format == "conll" else task_of_columns(source.columns, prefixes)
        if source.format == "txt":
            found = task
        if task is None and found is None:
            way_out = "give --task" if source.format == "txt" else "give --prefix or --task"
            raise InputError(
                f"{source.name}: no column says what was predicted; {way_out} "
                f"(columns: {', '.join(source.columns)})"
            )
        self.task: Task = task or found  # type: ignore[assignment]
        leading = _LEADING[self.task]
        if source.format in {"conll", "txt"}:
            self._prefix, self.first = "", source.columns[-1]
            return
        options = [each + leading for each in prefixes]
        known = next((name for name in options if name in source.columns), None)
        if known is None:
            raise InputError(
                f"{source.name}: has no column {options[-1]!r} with predictions of {self.task} "
                f"(columns: {', '.join(source.columns)})"
            )
        self._prefix, self.first = known.removesuffix(leading), known

    @property
    def all(self) -> list[str]:
        """Every column with predictions that there is."""
        known = (name for each in _OTHERS.get(self.task, ()) if (name := self._named(each)))
        return [self.first, *known]

    def value(self, row: Row) -> Any:
        """Return what was predicted for a row; raises `InputError` where that cannot be read."""
        return _READERS[self.task](self, row)

    def _named(self, name: str) -> str | None:
        name = self._prefix + name
        return name if name in self.source.columns and self.source.format != "conll" else None

    def number(self, row: Row, name: str) -> float | None:
        """Return the number in a column of that name; None where there is no such column."""
        column = self._named(name)
        return None if column is None else gold.number_of(column)(row)

    def scores(self, row: Row) -> dict[str, float] | None:
        """Return the probability of every label, from the columns `score_LABEL`.

        A column of that name may be another's: what is no number there is NaN.
        """
        start = self._prefix + "score_"
        named = [name for name in self.source.columns if name.startswith(start)]
        found = {name.removeprefix(start): _number_if_any(row, name) for name in named}
        # score_2 beside label_2 is the second best, not the label 2.
        beside = {name for name in found if self._named(f"label_{name}")}
        return {name: score for name, score in found.items() if name not in beside} or None


def _number_if_any(row: Row, column: str) -> float:
    try:
        return gold.number_of(column)(row)
    except InputError:
        return math.nan


def _label(columns: PredictedColumns, row: Row) -> Guess:
    label = gold.label_of(columns.first, labels=None, names={})(row)
    return Guess(label, columns.number(row, "score"), columns.scores(row))


def _labels(columns: PredictedColumns, row: Row) -> LabelsGuess:
    return gold.labels_of(columns.first, labels=None, names={})(row), columns.scores(row)


def _number(columns: PredictedColumns, row: Row) -> float:
    return gold.number_of(columns.first)(row)


def _answer(columns: PredictedColumns, row: Row) -> Guess:
    if row.error is not None:
        raise InputError(row.error)
    value = cell_value(row, columns.first)
    answer = "" if value is None else cell_text(row, columns.first)
    return Guess(
        answer, columns.number(row, "score"), no_answer=columns.number(row, "no_answer_score")
    )


def _tags(columns: PredictedColumns, row: Row) -> list[str]:
    return gold.tags_of(columns.first)(row)


def _choice(columns: PredictedColumns, row: Row) -> Choice:
    index = int(gold.number_of(columns.first)(row))
    score = columns.number(row, "score")
    scores = (0.0,) * index + (0.0 if score is None else score,)
    text = cell_value(row, columns.first.removesuffix("_index"))
    return Choice(text if isinstance(text, str) else "", index, scores)


def _foreseen(columns: PredictedColumns, row: Row) -> PseudoPerplexity:
    count = columns.number(row, "n_tokens")
    return PseudoPerplexity(gold.number_of(columns.first)(row), 1 if count is None else int(count))


_LEADING: dict[Task, str] = {
    "classify": "label",
    "multilabel": "labels",
    "regress": "score",
    "embed": "score",
    "tag": "tags",
    "qa": "answer",
    "mlm": "pseudo_perplexity",
    "choose": "choice_index",
}
_OTHERS: dict[Task, tuple[str, ...]] = {
    "classify": ("score",),
    "multilabel": ("scores",),
    "qa": ("score",),
    "choose": ("choice", "score"),
}
_READERS: dict[Task, Callable[[PredictedColumns, Row], Any]] = {
    "classify": _label,
    "multilabel": _labels,
    "regress": _number,
    "embed": _number,
    "tag": _tags,
    "qa": _answer,
    "mlm": _foreseen,
    "choose": _choice,
}
