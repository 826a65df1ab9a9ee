"""What a model can learn: one file per task."""

from collections.abc import Sequence

from distilcli.rows.reader import RowSource
from distilcli.training.data.labelled import read_examples
from distilcli.training.data.questions import read_questions
from distilcli.training.data.tagged import read_tagged
from distilcli.training.lessons.classify import ClassifyLesson
from distilcli.training.lessons.lesson import Lesson
from distilcli.training.lessons.qa import QaLesson
from distilcli.training.lessons.tag import TagLesson


def read_lesson(
    task: str,
    train: RowSource,
    valid: RowSource | None,
    *,
    label_column: str | None,
    pair_column: str | None,
    share: float,
    seed: int,
    known: Sequence[str],
    taught: bool = False,
) -> Lesson:
    """Read the rows of a task; without `valid` a `share` of them is set aside.

    `known` are the labels of the model to start from, or of the teacher of a lesson that is
    `taught`: rows to learn from then need no labels. Raises `InputError` for rows that cannot be
    learned from.
    """
    if task == "qa":
        return QaLesson(*read_questions(train, valid, share=share, seed=seed))
    if task == "tag":
        return TagLesson(
            *read_tagged(
                train, valid, label_column=label_column, share=share, seed=seed, known=known
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
