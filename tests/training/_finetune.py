"""A whole run in one call."""

from typing import Any

from distilcli.training.init_model import StartingPoint
from distilcli.training.objectives.base import Lesson
from distilcli.training.run import prepare


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
