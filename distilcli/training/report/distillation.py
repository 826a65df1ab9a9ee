"""What a student has in common with its teacher, measured on the validation rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
import torch

from distilcli.evaluation.results.classify import ClassifyResults
from distilcli.scores.classification import classification_scores
from distilcli.training.distill.recorded import Array
from distilcli.training.distill.setup import DistillationPlan
from distilcli.training.objectives import AnyObjective
from distilcli.training.objectives.classify import ClassifyObjective


@dataclass(frozen=True, kw_only=True, slots=True)
class TeachingRecord:
    """What the card says of a student and its teacher.

    `metrics` are the teacher's, `size` and `speed` the student's as a multiple of them; empty or
    None for a teacher of which only a file is known. `agreement` is the share of `rows` where both
    give the same label, `label_f1` the F1 of the teacher and of the student for each; None or
    empty for tasks other than classify.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    size: float | None = None
    speed: float | None = None
    rows: int = 0
    agreement: float | None = None
    label_f1: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def measure_teaching(
    plan: DistillationPlan,
    student: AnyObjective,
    teacher: AnyObjective | None,
    best: ClassifyResults | None,
    *,
    device: torch.device,
) -> TeachingRecord:
    """Compare both models' objectives; `teacher` is None where only its outputs are known.

    `best` are the results of the best student, None for tasks other than classify. Both models are
    in evaluation mode afterwards.
    """
    metrics: Mapping[str, float] = {}
    size = speed = None
    if teacher is not None:
        _, seconds = _scored(student, device)
        metrics, seconds_of_teacher = _scored(teacher, device)
        size = _parameters(student) / _parameters(teacher)
        speed = seconds_of_teacher / seconds
    record = TeachingRecord(metrics=metrics, size=size, speed=speed)
    said = None if best is None else _labels(plan, student, teacher, device)
    if best is None or said is None or not (said >= 0).any():
        return record
    known = said >= 0
    gold, predicted, said = best.gold[known], best.predicted[known], said[known]
    n_labels = len(best.labels)
    both = (classification_scores(gold, each, n_labels=n_labels) for each in (said, predicted))
    f1 = zip(*([label.f1 for label in scores.labels] for scores in both), strict=True)
    return TeachingRecord(
        metrics=metrics,
        size=size,
        speed=speed,
        rows=len(said),
        agreement=float((said == predicted).mean()),
        label_f1=dict(zip(best.labels, f1, strict=True)),
    )


def _scored(objective: AnyObjective, device: torch.device) -> tuple[dict[str, float], float]:
    """Return the scores of a model, and the seconds that they took."""
    objective.model.eval()
    started = perf_counter()
    scores = objective.scores(device)
    return scores, perf_counter() - started


def _parameters(objective: AnyObjective) -> int:
    return sum(weight.numel() for weight in objective.model.parameters())


def _labels(
    plan: DistillationPlan,
    student: AnyObjective,
    teacher: AnyObjective | None,
    device: torch.device,
) -> Array | None:
    """Return the teacher's label of each validation row, -1 where it is not known."""
    if isinstance(teacher, ClassifyObjective):
        return np.array([row.ranked()[0] for row in teacher.classifications(device)])
    if plan.recorded is None:
        return None
    rows = plan.recorded.rows_of(student.checked(student.valid, ""))
    values = plan.recorded.values[rows, 0]
    is_known = (rows >= 0) & np.isfinite(values).all(axis=1)
    found: Array = np.where(is_known, np.nan_to_num(values).argmax(axis=1), -1)
    return found
