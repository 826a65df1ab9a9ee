"""The objectives of training, one file per task."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from distilcli.errors import ModelError
from distilcli.rows.reader import RowSource
from distilcli.training.datasets.choose import read_problems
from distilcli.training.datasets.classify import read_examples
from distilcli.training.datasets.columns import Columns
from distilcli.training.datasets.embed import read_pairs
from distilcli.training.datasets.mlm import read_texts
from distilcli.training.datasets.multilabel import SEPARATOR, read_multilabel
from distilcli.training.datasets.qa import read_questions
from distilcli.training.datasets.regress import read_numbers
from distilcli.training.datasets.tag import read_tagged
from distilcli.training.objectives.base import Objective
from distilcli.training.options import ObjectiveOptions

AnyObjective = Objective[Any, Any, Any]
_OF_LABELS = ("classify", "multilabel", "tag")


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetOptions:  # TEMPORARY
    columns: Columns
    share: float = 0.1
    seed: int = 0
    known: Sequence[str] = ()
    taught: bool = False


def _read_rows(task: str, train: RowSource, valid: RowSource | None, o: DatasetOptions) -> Any:
    columns, known, taught = o.columns, o.known, o.taught
    split: dict[str, Any] = {"share": o.share, "seed": o.seed}
    of_texts: dict[str, Any] = {"label_column": columns.label, "pair_column": columns.pair, **split}
    match task:
        case "qa":
            return read_questions(train, valid, columns=columns, taught=taught, **split)
        case "tag":
            return read_tagged(train, valid, columns=columns, known=known, taught=taught, **split)
        case "embed":
            return read_pairs(train, valid, columns=columns, taught=taught, **split)
        case "mlm":
            return read_texts(train, valid, **split)
        case "choose":
            return read_problems(train, valid, columns=columns, taught=taught, **split)
        case "regress":
            return read_numbers(train, valid, taught=taught, **of_texts)
        case "multilabel":
            separator = columns.separator or SEPARATOR
            return read_multilabel(
                train, valid, separator=separator, known=known, taught=taught, **of_texts
            )
    return read_examples(train, valid, known=known, taught=taught, **of_texts)


def read_objective(
    task: str,
    train: RowSource,
    valid: RowSource | None,
    *,
    dataset: DatasetOptions,
    options: ObjectiveOptions,
    start: Path,
) -> AnyObjective:
    """Read the rows of a task; `start` is the folder of the model that learns from them.

    Raises `InputError` for rows that cannot be learned from, `ModelError` for a model that cannot
    learn the task.
    """
    if dataset.taught and not dataset.known and task in _OF_LABELS:
        raise ModelError(
            f"`teacher` has no labels, so it has no head for {task}; name a model that was trained "
            f"for {task}"
        )
    rows = _read_rows(task, train, valid, dataset)
    module = import_module(f"distilcli.training.objectives.{task}")
    objective: AnyObjective = getattr(module, f"{task.capitalize()}Objective").of(
        *rows, options, start=start
    )
    return objective
