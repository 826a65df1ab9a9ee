"""What a teacher said of the training rows, from a file: probabilities of labels, or vectors.

Any model can have made them. Of texts that are the same the first counts.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from distilcli.errors import InputError
from distilcli.gold.cells import Reader, number_of, where
from distilcli.gold.columns import Columns, negative_column, pair_column, text_column
from distilcli.rows.reader import RowSource, open_rows
from distilcli.rows.row import JoinedColumns, Row, cell_value
from distilcli.rows.row_writer import RENAMING
from distilcli.tasks.spec import TASKS
from distilcli.tasks.texts import text_at
from distilcli.training.data_checks import CheckedRows

Array = np.ndarray[Any, Any]
Key = tuple[str, str | None]
"""The one or two texts of a row."""

_SCORE = "score_"
_LEAST = 1e-6  # files round probabilities, so that one is hardly nearer to 0
_BLOCK = 65_536  # rows that are read at once
_OF_TEXTS, _OF_PAIRS = 2, 3  # dimensions of vectors


@dataclass(eq=False, kw_only=True)
class RecordedOutputs:
    """A teacher's outputs (rows, units, C) in `values`, as the head of a model gives them.

    `index` has the row of each text or pair of texts. `labels` are those of the C columns.
    """

    name: str
    values: Array
    labels: tuple[str, ...] = ()
    index: dict[Key, int] = field(default_factory=dict)
    _passed: int | None = field(default=None, init=False)

    def match(self, source: RowSource, text: str, pair: str | None) -> None:
        """Let the rows be those of the training rows in `source`, in the order they are read in."""
        self._passed = 0

        def note(row: Row) -> bool:
            if row.error is None:
                self.index.setdefault(_key(row, text, pair), self._passed or 0)
            self._passed = (self._passed or 0) + 1
            return True

        source.keep(note)

    def rows_of(self, checked: CheckedRows) -> Array:
        """Return the rows (N,) with these texts, -1 for a text that has none."""
        pairs: Sequence[str | None] = checked.pairs or [None] * len(checked.texts)
        keys = map(_as_key, checked.texts, pairs)
        return np.array([self.index.get(key, -1) for key in keys], np.int64)

    def all_rows_of(self, checked: CheckedRows, *, is_limited: bool) -> Array:
        """Return the rows (N,) of the training rows, which `is_limited` to the first ones or not.

        Raises `InputError` if one has none, and for another number of rows.
        """
        passed, given = self._passed, len(self.values)
        if passed is not None and (passed > given or (passed < given and not is_limited)):
            raise InputError(
                f"{self.name}: has {given:,} rows for {passed:,} training rows; give a row for "
                "each, in their order"
            )
        rows = self.rows_of(checked)
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            is_known = (block >= 0) & np.isfinite(self.values[block]).all(axis=(1, 2))
            for index in np.flatnonzero(~is_known)[:1].tolist():
                places = checked.places or ()
                at = ", line ".join(map(str, places[start + index])) if places else "a row"
                raise InputError(
                    f"{self.name}: has no numbers for the text in {at}; every training row needs "
                    "some"
                )
        return rows

    def in_order(self, labels: tuple[str, ...]) -> "RecordedOutputs":
        """Return the same with the columns in the order of these labels.

        Raises `InputError` for a label that is not there.
        """
        for label in labels:
            if label not in self.labels:
                raise InputError(f"{self.name}: has no probability of the label {label!r}")
        columns = [self.labels.index(label) for label in labels]
        self.values, self.labels = self.values[..., columns], labels
        return self

    def digest(self, rows: Array) -> str:
        """Return what identifies the labels, and the outputs of these rows."""
        found = hashlib.sha256(repr(self.labels).encode())
        for start in range(0, len(rows), _BLOCK):
            found.update(self.values[rows[start : start + _BLOCK]].tobytes())
        return found.hexdigest()


def read_scores(path: str, source: RowSource, task: str, columns: Columns) -> RecordedOutputs:
    """Read a probability of each label for the training rows in `source`, which is read later.

    The columns are `score_LABEL`, as `classify` writes them, or those that the training rows do
    not have. Rows belong to the training rows by their texts, if the file has them, and else by
    their order. Raises `InputError` for what is no probability.
    """
    scores = open_rows([path])
    text, pair = source.text_column, pair_column(source, TASKS["classify"], columns)
    by_label = _score_columns(scores, source)
    readers = {column: number_of(column) for column in by_label.values()}
    has_texts = all(part in scores.columns for part in _parts(text) + _parts(pair))
    index: dict[Key, int] = {}
    values: list[list[float]] = []
    for row in scores:
        if row.error is not None:
            raise InputError(row.error)
        if has_texts:
            index.setdefault(_key(row, text, pair), len(values))
        values.append(_probabilities(row, readers))
    logits = _log_odds if task == "multilabel" else _logs
    stacked = np.array(values, np.float32).reshape(-1, 1, len(readers))
    found = RecordedOutputs(name=path, values=logits(stacked), labels=tuple(by_label), index=index)
    if not has_texts:
        found.match(source, text, pair)
    return found


def read_vectors(path: str, source: RowSource, columns: Columns) -> RecordedOutputs:
    """Open the vectors (N, D) of the training rows in `source`, which is read later.

    Rows that are pairs of texts have two each (N, 2, D). Raises `InputError` for other arrays.
    """
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError:
        raise InputError(f"{path}: is not an array of numbers as numpy saves it (.npy)") from None
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f":
        raise InputError(f"{path}: is not an array of vectors in floating point")
    spec = TASKS["embed"]
    text = text_column(source, spec, columns)
    usual = {name.lower() for name in source.columns} & set(spec.pair_columns)
    has_pairs = bool(usual) or columns.pair_column is not None
    pair = pair_column(source, spec, columns) if has_pairs else None
    if pair is not None and (negative := negative_column(source, spec, columns)):
        raise InputError(
            f"{source.name}: has negatives in {negative!r}, for which {path} has no vectors; "
            "leave one of them out"
        )
    if values.ndim != (_OF_PAIRS if has_pairs else _OF_TEXTS) or (
        has_pairs and values.shape[1] != 2  # noqa: PLR2004
    ):
        wanted = "pairs of texts need (rows, 2, width)" if has_pairs else "texts need (rows, width)"
        raise InputError(f"{path}: has the shape {values.shape}; {wanted}")
    found = RecordedOutputs(name=path, values=values if has_pairs else values[:, None])
    found.match(source, text, pair)
    return found


def _score_columns(scores: RowSource, source: RowSource) -> dict[str, str]:
    """Return the column of each label."""
    for start in (RENAMING + _SCORE, _SCORE):
        if named := [name for name in scores.columns if name.startswith(start)]:
            return {name.removeprefix(start): name for name in named}
    others = [name for name in scores.columns if name not in source.columns]
    if len(others) < 2:  # noqa: PLR2004
        raise InputError(
            f"{scores.name}: has no columns score_LABEL with the probability of each label "
            f"(columns: {', '.join(scores.columns)})"
        )
    return dict(zip(others, others, strict=True))


def _probabilities(row: Row, readers: Mapping[str, Reader[float]]) -> list[float]:
    """Return the probabilities of a row; those of a text that was not classified are NaN."""
    if all(cell_value(row, column) in (None, "") for column in readers):
        return [np.nan] * len(readers)
    found = [read(row) for read in readers.values()]
    for probability, column in zip(found, readers, strict=True):
        if not 0 <= probability <= 1:
            raise InputError(f"{where(row, column)}: {probability:g} is not a probability")
    return found


def _logs(probabilities: Array) -> Array:
    logits: Array = np.log(probabilities.clip(_LEAST))
    return logits


def _log_odds(probabilities: Array) -> Array:
    clipped = probabilities.clip(_LEAST, 1 - _LEAST)
    logits: Array = np.log(clipped) - np.log1p(-clipped)
    return logits


def _key(row: Row, text: str, pair: str | None) -> Key:
    return _as_key(text_at(row, text), None if pair is None else text_at(row, pair))


def _as_key(text: str, pair: str | None) -> Key:
    """Return the key of one or two texts; a text that is its own pair counts as one."""
    return text, None if pair == text else pair


def _parts(column: str | None) -> list[str]:
    if column is None:
        return []
    return [*column.parts] if isinstance(column, JoinedColumns) else [column]
