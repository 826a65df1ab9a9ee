"""From a teacher's files to a lesson that is learned from it."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from distilcli.checkpoint.config import read_config
from distilcli.checkpoint.folder import ModelFiles
from distilcli.errors import ModelError, UsageError
from distilcli.model.heads import TaskModel
from distilcli.model.loading import check_tokenizer, load_model
from distilcli.tasks.classify import kind_of
from distilcli.tasks.settings import usable_length
from distilcli.tokenizer.loading import load_tokenizer
from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.training.digests import model_digest
from distilcli.training.distill.loss import Distillation, DistillationOptions, map_layers
from distilcli.training.distill.teacher import Teacher, Teaching
from distilcli.training.distill.teacher_cache import CachedTeacher
from distilcli.training.objectives.base import Lesson, Teachable

_KINDS = {"single": "one label", "multi": "several labels", "regression": "numbers"}


@dataclass(frozen=True, kw_only=True, slots=True)
class TeachingPlan:
    """Who teaches, what counts how much, and where the teacher's answers are kept, if anywhere."""

    files: ModelFiles
    options: DistillationOptions = field(default_factory=DistillationOptions)
    cache: Path | None = None

    def labels(self) -> tuple[str, ...]:
        """Return the labels of the teacher, none if its head has none."""
        return read_config(self.files.config_path).labels

    def fingerprint(self) -> dict[str, Any]:
        """Say what a run that resumes must have in common with its beginning."""
        return {
            "teacher": model_digest(self.files),
            "teacher_cache": self.cache is not None,  # its answers are rounded
            **asdict(self.options),
        }


@dataclass(frozen=True, slots=True)
class Student:
    """What learns: a model, its tokenizer, and the lesson made ready for it."""

    model: TaskModel
    tokenizer: Tokenizer
    objective: Teachable
    max_length: int


def teach(
    plan: TeachingPlan,
    lesson: Lesson,
    student: Student,
    *,
    seed: int,
    epochs: int,
    device: torch.device,
    on_pass: Callable[[int, int], None],
    rehearsal: bool = False,
) -> Distillation:
    """Load the teacher and add it to what the student learns.

    `seed` is that of examples that vary, over so many `epochs`. In a `rehearsal` answers that are
    not on the disk yet are asked for when they are needed, and not kept.

    Raises `ModelError` for a teacher without the head of the lesson, with other labels, another
    vocabulary, or less room for tokens than the student has; `ResourceError` where the disk has no
    room for its answers.
    """
    name = plan.files.name
    model = load_model(plan.files, lesson.head).model
    labels = student.model.config.labels
    if model.config.labels and model.config.labels != labels:
        raise ModelError(
            f"{name}: the teacher's labels are {', '.join(model.config.labels[:10])}, the "
            f"student's {', '.join(labels[:10])}; they must be the same, in the same order"
        )
    kinds = kind_of(model.config), kind_of(student.model.config)
    if kinds[0] != kinds[1]:
        raise ModelError(
            f"{name}: the teacher's head is for {_KINDS[kinds[0]]}, the student's for "
            f"{_KINDS[kinds[1]]}; name a teacher that was trained for the same"
        )
    tokenizer = load_tokenizer(plan.files)
    check_tokenizer(tokenizer, model.config, source=name)
    if not tokenizer.reads_as(student.tokenizer):
        raise ModelError(
            f"{name}: the teacher has another vocabulary than the student, or other rules for "
            "letters; start the student from a model with the same tokenizer, or from the teacher "
            "with --student-layers"
        )
    room = usable_length(None, tokenizer.max_length, model.config.max_position_embeddings)
    if room < student.max_length:
        raise ModelError(
            f"{name}: the teacher reads {room} tokens, the student {student.max_length}; "
            f"give --max-length {room}"
        )
    objective = lesson.objective(model, tokenizer, max_length=student.max_length)
    layers = map_layers(
        plan.options,
        n_student=student.model.config.n_layers,
        n_teacher=model.config.n_layers,
    )
    live = Teacher(
        model.to(device),
        objective,
        layers=[theirs for _, theirs in layers.hidden_states],
        attention_layers=[theirs for _, theirs in layers.attentions],
    )
    teacher: Teaching = live
    if plan.cache is not None:
        folder = plan.cache / _cache_key(plan, lesson, student, live, seed)
        cached = CachedTeacher(live, folder, device=device, epochs=epochs, on_pass=on_pass)
        live.bytes_to_keep = cached.bytes_to_keep
        teacher = live if rehearsal and cached.bytes_to_keep else cached
    return Distillation(
        student.objective, teacher, student.model, options=plan.options, layers=layers
    )


def _cache_key(
    plan: TeachingPlan, lesson: Lesson, student: Student, teacher: Teacher, seed: int
) -> str:
    """Tell answers by what they depend on."""
    if plan.options.alpha_attention:
        raise UsageError(
            "--teacher-cache keeps no attention, which would be huge; leave it or "
            "--alpha-attention out"
        )
    learned = {name: it for name, it in lesson.digests().items() if name != "validation data"}
    what = (
        model_digest(plan.files), lesson.task, sorted(learned.items()),
        student.max_length, tuple(teacher.layers), seed if teacher.objective.varies else None,
    )  # fmt: skip
    return hashlib.sha256(repr(what).encode()).hexdigest()[:16]
