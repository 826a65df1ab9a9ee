"""What a finished run leaves for people: its card, and a picture of how it went."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from distilcli.checkpoint.folder import ModelFiles
from distilcli.evaluation.results.classify import ClassifyResults
from distilcli.model.hardware import read_machine
from distilcli.predictors.classifier import Classifier
from distilcli.scores.calibration import reliability
from distilcli.tasks.settings import LongTexts
from distilcli.training.objectives import AnyObjective
from distilcli.training.objectives.classify import ClassifyObjective
from distilcli.training.report.model_card import DataRecord, RunRecord, model_card
from distilcli.training.report.plots import RunPicture, plot_run
from distilcli.training.run_files import scores_of


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFacts:
    """What the card says of a run beside its objective and its summary.

    `base_model_id` is what `public_id` returns; `files` are those of the training rows, and those
    of the validation rows.
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
    """Return the id on the hub or the built-in name of a model; None for one in a local folder."""
    named = Path(os.path.expanduser(files.name))  # noqa: PTH111 - as it was located
    if named.resolve() == files.folder.resolve():
        return None
    return files.name.partition("@")[0]


def measure_best(
    objective: AnyObjective, facts: RunFacts, *, device: str
) -> ClassifyResults | None:
    """Let the best model label the validation rows; None for tasks other than classify."""
    if not isinstance(objective, ClassifyObjective):
        return None
    rows = objective.valid
    classifier = Classifier(
        str(facts.folder), device=device, long_texts=LongTexts(max_length=facts.max_length)
    )
    texts = rows.texts if rows.pairs is None else list(zip(rows.texts, rows.pairs, strict=True))
    gold = [rows.label_names[label] for label in rows.labels]
    return ClassifyResults.of(rows.label_names, gold, classifier(texts))


def card_of(
    objective: AnyObjective,
    facts: RunFacts,
    summary: Mapping[str, Any],
    best: ClassifyResults | None,
    *,
    seconds: float,
) -> str:
    """Write the card of a run that took `seconds`."""
    scores = {} if best is None else dict(zip(best.labels, best.scores().labels, strict=True))
    return model_card(
        RunRecord(
            name=facts.folder.resolve().name,
            task=objective.task,
            base_model=facts.base_model,
            base_model_id=facts.base_model_id,
            teacher=facts.teacher,
            model_type=facts.model_type,
            parameters=facts.parameters,
            max_length=facts.max_length,
            command=facts.command,
            train=_data(objective, objective.train, facts.files[0]),
            valid=_data(objective, objective.valid, facts.files[1]),
            steps=summary["steps"],
            epochs=summary["epochs"],
            best_step=summary["best"]["step"],
            metrics=scores_of(summary["best"]),
            label_scores=scores,
            machine=read_machine(torch.device(summary["device"])),
            precision=summary["precision"],
            date=datetime.now(timezone.utc).date().isoformat(),
            seconds=seconds,
        )
    )


def draw(
    path: str, facts: RunFacts, history: Sequence[Mapping[str, float]], best: ClassifyResults | None
) -> None:
    """Draw loss and scores over steps and, for classify, confusion and reliability."""
    picture = RunPicture(title=facts.folder.resolve().name, history=history)
    if best is not None and best.confidences is not None:
        picture = replace(
            picture,
            labels=best.labels,
            confusion=best.scores().confusion,
            reliability=reliability(best.confidences, best.gold == best.predicted),
        )
    plot_run(picture, path)


def _data(objective: AnyObjective, rows: Any, files: Sequence[str]) -> DataRecord:
    checked = objective.checked(rows, "")
    counts = Counter(label for labels in checked.labels or () for label in labels)
    return DataRecord(files=files, rows=len(checked.texts), labels=dict(counts.most_common()))
