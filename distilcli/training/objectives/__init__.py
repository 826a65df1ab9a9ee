"""What a model can learn: one file per task."""

from collections.abc import Sequence
from typing import Any

from distilcli.checkpoint.folder import ModelFiles
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
from distilcli.training.objectives.base import Lesson
from distilcli.training.objectives.choose import ChooseLesson
from distilcli.training.objectives.classify import ClassifyLesson
from distilcli.training.objectives.embed import EmbedLesson, recipe_to_learn
from distilcli.training.objectives.mlm import MlmLesson
from distilcli.training.objectives.multilabel import MultilabelLesson
from distilcli.training.objectives.qa import QaLesson
from distilcli.training.objectives.regress import RegressLesson
from distilcli.training.objectives.tag import TagLesson
from distilcli.training.settings import LessonOptions

_OF_LABELS = ("classify", "multilabel", "tag")


def read_lesson(  # noqa: PLR0911
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
    lesson that is `taught`: rows to learn from then need no labels. Raises `InputError` for rows
    that cannot be learned from, `ModelError` for a model that cannot learn the task.
    """
    if taught and not known and task in _OF_LABELS:
        raise ModelError(
            f"--teacher: has no labels, so no head for --task {task} to learn from; name a model "
            f"that `distil finetune --task {task}` has trained"
        )
    split: dict[str, Any] = {"share": share, "seed": options.seed}
    of_texts: dict[str, Any] = {"label_column": columns.label, "pair_column": columns.pair, **split}
    match task:
        case "qa":
            return QaLesson(*read_questions(train, valid, columns=columns, taught=taught, **split))
        case "tag":
            sentences = read_tagged(
                train, valid, columns=columns, known=known, taught=taught, **split
            )
            return TagLesson(*sentences, options)
        case "embed":
            pairs = read_pairs(train, valid, columns=columns, taught=taught, **split)
            return EmbedLesson(*pairs, recipe_to_learn(files.folder))
        case "mlm":
            return MlmLesson(*read_texts(train, valid, **split), options.seed)
        case "choose":
            problems = read_problems(train, valid, columns=columns, taught=taught, **split)
            return ChooseLesson(*problems)
        case "regress":
            return RegressLesson(*read_numbers(train, valid, taught=taught, **of_texts), options)
        case "multilabel":
            separator = columns.separator or SEPARATOR
            rows = read_multilabel(
                train, valid, separator=separator, known=known, taught=taught, **of_texts
            )
            return MultilabelLesson(*rows, options)
    examples = read_examples(train, valid, known=known, taught=taught, **of_texts)
    return ClassifyLesson(*examples, options)
