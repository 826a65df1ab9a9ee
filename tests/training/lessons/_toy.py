"""Runs of finetune over toy rows."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from distilcli.checkpoint.folder import describe_folder
from distilcli.training.finetune import StartingPoint, finetune
from distilcli.training.lessons.lesson import Lesson
from distilcli.training.loop import Progress
from distilcli.training.options import TrainingOptions

OPTIONS = TrainingOptions(epochs=8, learning_rate=2e-3, token_budget=256, precision="fp32")


def learn(model: Path, lesson: Lesson, folder: Path, **options: Any) -> dict[str, Any]:
    """Train on the CPU in fp32; return the summary."""
    named = {key: options.pop(key) for key in ("resume", "on_progress") if key in options}
    return finetune(
        StartingPoint(files=describe_folder(str(model), model)),
        lesson,
        options=replace(OPTIONS, **options),
        folder=folder,
        device="cpu",
        **named,
    )


def stopped_at(step: int) -> Callable[[Progress], None]:
    """Return what interrupts a run after so many steps, as a kill would."""

    def on_progress(progress: Progress) -> None:
        if progress.step == step:
            raise KeyboardInterrupt

    return on_progress
