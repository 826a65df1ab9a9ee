"""A whole run in one call."""

from typing import Any

from distilcli.training.finetune import prepare
from distilcli.training.lessons.lesson import Lesson
from distilcli.training.start import StartingPoint


def finetune(
    start: StartingPoint,
    lesson: Lesson,
    *,
    resume: bool = False,
    force: bool = False,
    **settings: Any,
) -> dict[str, Any]:
    """Prepare a run and train; return its summary."""
    return prepare(start, lesson, **settings).train(resume=resume, force=force)
