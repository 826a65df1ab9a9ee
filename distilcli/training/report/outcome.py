"""What a finished run leaves for people: its card, and pictures of how it went."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from distilcli.checkpoint.folder import ModelFiles
from distilcli.evaluation.results.classify import ClassifyResults
from distilcli.predictors.classifier import Classifier
from distilcli.scores.calibration import reliability
from distilcli.tasks.settings import LongTexts
from distilcli.training.datasets.classify import Examples
from distilcli.training.environment import Environment
from distilcli.training.history import scores_of
from distilcli.training.lesson_rows import NAMES, rows_of
from distilcli.training.objectives.base import Lesson
from distilcli.training.report.model_card import DataRecord, RunRecord, model_card
from distilcli.training.report.plots import RunPicture, plot_run


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFacts:
    """What is known of a run beside its lesson.

    `base_model` and `teacher` are names, `base_model_id` is what `public_id` tells; `files` are
    those with the rows to learn from, and those with the rows to validate on.
    """

    folder: Path
    base_model: str
    base_model_id: str | None
    teacher: str | None
    model_type: str
    parameters: int
    max_length: int
    command: Sequence[str]
    files: tuple[Sequence[str], Sequence[str]]


def public_id(files: ModelFiles) -> str | None:
    """Return what others know a model by, its id on the hub or a built-in name, None for neither.

    A model in a folder that the user named is known here alone.
    """
    named = Path(os.path.expanduser(files.name))  # noqa: PTH111 - as it was located
    if named.resolve() == files.folder.resolve():
        return None
    return files.name.partition("@")[0]


def measure_best(lesson: Lesson, facts: RunFacts, *, device: str) -> ClassifyResults | None:
    """Let the best model label the rows to validate on; None where that is not its task."""
    if lesson.task != "classify":
        return None
    rows: Examples[int] = lesson.valid
    classifier = Classifier(
        str(facts.folder), device=device, long_texts=LongTexts(max_length=facts.max_length)
    )
    texts = rows.texts if rows.pairs is None else list(zip(rows.texts, rows.pairs, strict=True))
    expected = [rows.label_names[label] for label in rows.labels]
    return ClassifyResults.of(rows.label_names, expected, classifier(texts))


def card_of(
    lesson: Lesson,
    facts: RunFacts,
    summary: Mapping[str, Any],
    best: ClassifyResults | None,
    environment: Environment,
) -> str:
    """Write the card of a finished run."""
    figures = {}
    if best is not None:
        figures = dict(zip(best.labels, best.scores().labels, strict=True))
    return model_card(
        RunRecord(
            name=facts.folder.resolve().name,
            task=lesson.task,
            base_model=facts.base_model,
            base_model_id=facts.base_model_id,
            teacher=facts.teacher,
            model_type=facts.model_type,
            parameters=facts.parameters,
            max_length=facts.max_length,
            command=facts.command,
            train=_data(lesson.train, NAMES[0], facts.files[0]),
            valid=_data(lesson.valid, NAMES[1], facts.files[1]),
            steps=summary["steps"],
            epochs=summary["epochs"],
            best_step=summary["best"]["step"],
            metrics=scores_of(summary["best"]),
            label_figures=figures,
            environment=environment,
        )
    )


def draw(
    path: str, facts: RunFacts, history: Sequence[Mapping[str, Any]], best: ClassifyResults | None
) -> None:
    """Draw loss and scores over steps, and of labels who was taken for whom, and how surely."""
    picture = RunPicture(title=facts.folder.resolve().name, history=history)
    if best is not None and best.confidences is not None:
        picture = replace(
            picture,
            labels=best.labels,
            confusion=best.scores().confusion,
            reliability=reliability(best.confidences, best.gold == best.predicted),
        )
    plot_run(picture, path)


def _data(part: Any, name: str, files: Sequence[str]) -> DataRecord:
    rows = rows_of(part, name)
    counts = Counter(label for labels in rows.labels or () for label in labels)
    return DataRecord(files=files, rows=len(rows.texts), labels=dict(counts.most_common()))
