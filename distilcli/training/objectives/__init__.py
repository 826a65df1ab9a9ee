"""The objectives of training, one file per task."""

from pathlib import Path
from typing import Any

from distilcli.errors import ModelError
from distilcli.rows.reader import RowSource
from distilcli.tasks.spec import task_spec
from distilcli.training.datasets.base import DatasetOptions
from distilcli.training.mixture import Mixture, TrainingRows
from distilcli.training.objectives.base import Objective
from distilcli.training.options import ObjectiveOptions

AnyObjective = Objective[Any, Any, Any]


def read_objective(
    task: str,
    train: TrainingRows,
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
    spec = task_spec(task)
    if dataset.taught and spec.has_labels and not dataset.known:
        raise ModelError(
            f"`teacher` has no labels, so it has no head for the task {task}; name a model that "
            f"`distil finetune --task {task}` has trained"
        )
    rows = spec.load(spec.dataset)(train, valid, dataset)
    objective: AnyObjective = spec.load(spec.objective).of(*rows, options, start=start)
    if isinstance(train, Mixture):
        objective.file_weights = train.weights
    return objective
