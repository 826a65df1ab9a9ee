"""Adds a teacher to an objective, after checking that the two models fit."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from distilcli.checkpoint.digest import model_digest
from distilcli.checkpoint.folder import ModelFiles
from distilcli.errors import ModelError, UsageError
from distilcli.model.heads import TaskModel
from distilcli.model.loading import check_tokenizer, load_model
from distilcli.tasks.classify import is_one_output, kind_of
from distilcli.tasks.settings import usable_length
from distilcli.tokenizer.loading import load_tokenizer
from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.training.distill.loss import Distillation, LayerMap, map_layers
from distilcli.training.distill.recorded import Array, RecordedOutputs
from distilcli.training.distill.teacher import AnyTeacher, RecordedTeacher, Teacher
from distilcli.training.distill.teacher_cache import CachedTeacher
from distilcli.training.objectives import AnyObjective
from distilcli.training.options import DistillationOptions

_KINDS = {"single": "one label", "multi": "several labels", "regression": "numbers"}


@dataclass(frozen=True, kw_only=True, slots=True)
class DistillationPlan:
    """The teacher's files, or what it said of the training rows; the weights of the loss.

    `rows` are those of the training rows in `recorded`. `cache` is the folder that keeps the
    outputs of a model, if any.
    """

    files: ModelFiles | None = None
    recorded: RecordedOutputs | None = None
    rows: Array = field(default_factory=lambda: np.zeros(0, np.int64), compare=False)
    options: DistillationOptions = field(default_factory=DistillationOptions)
    cache: Path | None = None

    @property
    def name(self) -> str:
        """What the user called the teacher."""
        if self.recorded is not None:
            return self.recorded.name
        assert self.files is not None  # noqa: S101
        return self.files.name

    def fingerprint(self) -> dict[str, object]:
        """Return what a run must have in common with the one that it resumes."""
        return {
            "teacher": self._digest(),
            "teacher_cache": self.cache is not None,  # cached hidden states are rounded
            **asdict(self.options),
        }

    def _digest(self) -> str:
        if self.recorded is not None:
            return self.recorded.digest(self.rows)
        assert self.files is not None  # noqa: S101
        return model_digest(self.files)


def add_teacher(
    plan: DistillationPlan,
    objective: AnyObjective,
    *,
    seed: int,
    epochs: int,
    device: torch.device,
    on_pass: Callable[[int, int], None],
    dry_run: bool = False,
) -> Distillation:
    """Load the teacher, or take what it said, and add it to the student's prepared objective.

    `seed` and `epochs` are those of examples that vary. In a `dry_run` outputs that are not cached
    yet are computed when they are needed, and not kept.

    Raises `ModelError` for a teacher that does not fit (its head, labels, vocabulary or maximum
    length), `ResourceError` if the disk has no room for the cache.
    """
    student: TaskModel = objective.model
    if plan.recorded is not None:
        recorded = RecordedTeacher(plan.recorded.values, plan.rows, device)
        nothing = LayerMap((), ())
        return Distillation(objective, recorded, student, options=plan.options, layers=nothing)
    assert plan.files is not None  # noqa: S101
    model = load_model(plan.files, objective.head).model
    tokenizer = load_tokenizer(plan.files)
    check_tokenizer(tokenizer, model.config, source=plan.files.name)
    _check_fit(plan.files.name, model, tokenizer, objective)
    layers = map_layers(
        plan.options, n_student=student.config.n_layers, n_teacher=model.config.n_layers
    )
    live = Teacher(
        model.to(device),
        objective.prepare(model, tokenizer, max_length=objective.max_length),
        layers=[theirs for _, theirs in layers.hidden_states],
        attention_layers=[theirs for _, theirs in layers.attentions],
    )
    teacher: AnyTeacher = live
    if plan.cache is not None:
        folder = plan.cache / _cache_key(plan, live, seed)
        cached = CachedTeacher(live, folder, device=device, epochs=epochs, on_pass=on_pass)
        live.bytes_to_keep = cached.bytes_to_keep
        teacher = live if dry_run and cached.bytes_to_keep else cached
    return Distillation(objective, teacher, student, options=plan.options, layers=layers)


def _check_fit(
    name: str, teacher: TaskModel, tokenizer: Tokenizer, objective: AnyObjective
) -> None:
    student = objective.model
    labels = student.config.labels
    if teacher.config.labels and teacher.config.labels != labels:
        raise ModelError(
            f"{name}: the teacher's labels are {', '.join(teacher.config.labels[:10])}, the "
            f"student's {', '.join(labels[:10])}; they must be the same, in the same order"
        )
    kinds = kind_of(teacher.config), kind_of(student.config)
    if kinds[0] != kinds[1] and not is_one_output(teacher.config):
        raise ModelError(
            f"{name}: the teacher predicts {_KINDS[kinds[0]]}, the student {_KINDS[kinds[1]]}; "
            "use a teacher that was trained for the same task"
        )
    if not tokenizer.reads_as(objective.tokenizer):
        raise ModelError(
            f"{name}: the teacher's tokenizer is not the student's; start from a model with the "
            "same vocabulary and case, or from the teacher with `student_layers`"
        )
    room = usable_length(None, tokenizer.max_length, teacher.config.max_position_embeddings)
    if room < objective.max_length:
        raise ModelError(
            f"{name}: the teacher reads {room} tokens, the student {objective.max_length}; "
            f"set `max_length` to {room}"
        )


def _cache_key(plan: DistillationPlan, teacher: Teacher, seed: int) -> str:
    """Return the digest of everything that the teacher's outputs depend on."""
    if plan.options.alpha_attention:
        raise UsageError(
            "`teacher_cache` cannot keep attention, which would be huge; drop it or "
            "`alpha_attention`"
        )
    objective = teacher.objective
    learned = {key: it for key, it in objective.digests().items() if key != "validation data"}
    parts = (
        plan.fingerprint()["teacher"], objective.task, sorted(learned.items()),
        objective.max_length, tuple(teacher.layers), seed if objective.varies else None,
    )  # fmt: skip
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
