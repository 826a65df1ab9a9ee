"""What a model can learn: one file per task."""

from collections.abc import Sequence

from distilcli.checkpoint.folder import ModelFiles
from distilcli.rows.reader import RowSource
from distilcli.training.data.labelled import read_examples
from distilcli.training.data.pairs import read_pairs
from distilcli.training.data.questions import read_questions
from distilcli.training.data.tagged import read_tagged
from distilcli.training.lessons.classify import ClassifyLesson
from distilcli.training.lessons.embed import EmbedLesson, recipe_to_learn
from distilcli.training.lessons.lesson import Lesson
from distilcli.training.lessons.qa import QaLesson
from distilcli.training.lessons.tag import TagLesson


def read_lesson(
    task: str,
    train: RowSource,
    valid: RowSource | None,
    *,
    text_column: str | None = None,
    label_column: str | None,
    pair_column: str | None,
    share: float,
    seed: int,
    known: Sequence[str],
    files: ModelFiles,
    taught: bool = False,
) -> Lesson:
    """Read the rows of a task; without `valid` a `share` of them is set aside.

    `known` are the labels of the model to start from, which is in `files`, or of the teacher of a
    lesson that is `taught`: rows to learn from then need no labels. Raises `InputError` for rows
    that cannot be learned from, `ModelError` for a model that cannot learn the task.
    """
    if task == "embed":
        pairs = read_pairs(
            train,
            valid,
            text_column=text_column,
            pair_column=pair_column,
            label_column=label_column,
            share=share,
            seed=seed,
            taught=taught,
        )
        return EmbedLesson(*pairs, recipe_to_learn(files.folder))
    if task == "qa":
        return QaLesson(*read_questions(train, valid, share=share, seed=seed, taught=taught))
    if task == "tag":
        return TagLesson(
            *read_tagged(
                train,
                valid,
                label_column=label_column,
                share=share,
                seed=seed,
                known=known,
                taught=taught,
            )
        )
    return ClassifyLesson(
        *read_examples(
            train,
            valid,
            label_column=label_column,
            pair_column=pair_column,
            share=share,
            seed=seed,
            known=known,
            taught=taught,
        )
    )
