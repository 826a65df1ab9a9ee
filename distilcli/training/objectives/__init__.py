"""What a model can learn: one file per task."""

from collections.abc import Callable, Sequence

from distilcli.checkpoint.folder import ModelFiles
from distilcli.errors import ModelError
from distilcli.gold.columns import Columns
from distilcli.rows.reader import RowSource
from distilcli.tasks.spec import task_spec
from distilcli.training.datasets.base import DatasetOptions
from distilcli.training.objectives.base import Lesson
from distilcli.training.objectives.embed import recipe_to_learn
from distilcli.training.settings import LessonOptions


def read_lesson(
    task: str,
    train: RowSource,
    valid: RowSource | None,
    *,
    columns: Columns,
    options: LessonOptions,
    share: float,
    files: ModelFiles,
    known: Sequence[str],
    taught: bool = False,
) -> Lesson:
    """Read the rows of a task; without `valid` a `share` of them is set aside.

    `known` are the labels of the model to start from, which is in `files`, or of the teacher of a
    lesson that is `taught`: training rows then need no labels. Raises `InputError` for rows that
    cannot be learned from, `ModelError` for a model that cannot learn the task.
    """
    spec = task_spec(task)
    if taught and not known and spec.has_labels:
        raise ModelError(
            f"`teacher`: has no labels, so no head for `task` {task} to learn from; name a model "
            f"that `distil finetune --task {task}` has trained"
        )
    dataset_options = DatasetOptions(
        columns=columns, share=share, seed=options.seed, known=known, taught=taught
    )
    parts = spec.load(spec.dataset)(train, valid, dataset_options)
    lesson: Callable[..., Lesson] = spec.load(spec.objective)
    if task == "embed":
        return lesson(*parts, recipe_to_learn(files.folder))
    if task == "mlm":
        return lesson(*parts, options.seed)
    return lesson(*parts) if task in {"qa", "choose"} else lesson(*parts, options)
