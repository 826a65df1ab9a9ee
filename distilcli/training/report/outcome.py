"""What a finished run leaves for people: its card, and a picture of how it went."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import torch

from distilcli.checkpoint.folder import ModelFiles
from distilcli.evaluation.results.classify import ClassifyResults
from distilcli.model.hardware import read_machine
from distilcli.predictors.classifier import Classifier
from distilcli.scores.calibration import reliability
from distilcli.tasks.settings import LongTexts
from distilcli.training.loop import Summary, Trainer
from distilcli.training.objectives import AnyObjective
from distilcli.training.objectives.classify import ClassifyObjective
from distilcli.training.plan import RunPlan
from distilcli.training.report.distillation import TeachingRecord
from distilcli.training.report.model_card import DataRecord, RunRecord
from distilcli.training.report.plots import RunPicture, plot_run
from distilcli.training.run_files import scores_of


def public_id(files: ModelFiles) -> str | None:
    """Return the id on the hub or the built-in name of a model; None for one in a local folder."""
    named = Path(os.path.expanduser(files.name))  # noqa: PTH111 - as it was located
    if named.resolve() == files.folder.resolve():
        return None
    return files.name.partition("@")[0]


def measure_best(
    objective: AnyObjective, folder: Path, *, max_length: int, device: str
) -> ClassifyResults | None:
    """Let the best model label the validation rows; None for tasks other than classify."""
    if not isinstance(objective, ClassifyObjective):
        return None
    rows = objective.valid
    long_texts = LongTexts(max_length=max_length)
    classifier = Classifier(str(folder), device=device, long_texts=long_texts)
    texts = rows.texts if rows.pairs is None else list(zip(rows.texts, rows.pairs, strict=True))
    gold = [rows.label_names[label] for label in rows.labels]
    return ClassifyResults.of(rows.label_names, gold, classifier(texts))


def record_of(
    plan: RunPlan,
    trainer: Trainer,
    summary: Summary,
    best: ClassifyResults | None,
    *,
    teaching: TeachingRecord | None = None,
    max_length: int,
    command: Sequence[str],
) -> RunRecord:
    """Return what the card says of a finished run; `best` is what `measure_best` returns."""
    objective, base, model = plan.objective, plan.start.files, trainer.model
    return RunRecord(
        name=plan.folder.resolve().name,
        task=objective.task,
        base_model=base.name,
        base_model_id=public_id(base),
        teacher=None if plan.teacher is None else plan.teacher.name,
        teaching=teaching,
        model_type=model.config.model_type,
        parameters=sum(weight.numel() for weight in model.parameters()),
        max_length=max_length,
        command=command,
        train=_data(objective, objective.train, plan.files[0]),
        valid=_data(objective, objective.valid, plan.files[1]),
        steps=summary["steps"],
        epochs=summary["epochs"],
        best_step=int(summary["best"]["step"]),
        metrics=scores_of(summary["best"]),
        label_scores=dict(zip(best.labels, best.scores().labels, strict=True)) if best else {},
        machine=read_machine(torch.device(summary["device"])),
        precision=summary["precision"],
        date=datetime.now(timezone.utc).date().isoformat(),
        seconds=trainer.seconds,
    )


def draw(
    path: str, title: str, history: Sequence[Mapping[str, float]], best: ClassifyResults | None
) -> None:
    """Draw loss and scores over steps and, for classify, confusion and reliability."""
    picture = RunPicture(title=title, history=history)
    if best is not None and best.confidences is not None:
        picture = replace(
            picture,
            labels=best.labels,
            confusion=best.scores().confusion,
            reliability=reliability(best.confidences, best.gold == best.predicted),
        )
    plot_run(picture, path)


def _data(objective: AnyObjective, rows: object, files: Sequence[str]) -> DataRecord:
    checked = objective.checked(rows, "")
    counts = Counter(label for labels in checked.labels or () for label in labels)
    return DataRecord(files=files, rows=len(checked.texts), labels=dict(counts.most_common()))
