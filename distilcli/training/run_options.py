"""All settings of a run at once, given by name; free of torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypedDict

from distilcli.checkpoint.folder import ModelFiles
from distilcli.checkpoint.locate import locate
from distilcli.errors import UsageError
from distilcli.rows.data import Data
from distilcli.tasks.spec import refuse_without_effect, task_spec
from distilcli.training.options import (
    DataOptions,
    DistillationOptions,
    ObjectiveOptions,
    StartOptions,
    TeacherOptions,
    TrainingOptions,
)

_DEFAULT_MODEL = "mini"  # a built-in
_RECORDED = ("teacher_scores", "teacher_vectors")
_TEXT_TASKS = ("classify", "multilabel", "regress")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOptions:
    """All settings of a run, by what they are about; `given` are those that were, by name."""

    task: str
    data: DataOptions
    start: StartOptions
    objective: ObjectiveOptions
    training: TrainingOptions
    distillation: DistillationOptions
    teacher: TeacherOptions
    given: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, task: str, given: Mapping[str, Any]) -> "RunOptions":
        """Sort the settings that were given by name; None is the default.

        Raises `UsageError` for an invalid one or one without effect, `TypeError` for one that
        does not exist.
        """
        given = {name: value for name, value in given.items() if value is not None}
        task_spec(task)
        refuse_without_effect(task, given)
        groups = {
            "data": DataOptions,
            "start": StartOptions,
            "objective": ObjectiveOptions,
            "training": TrainingOptions,
            "distillation": DistillationOptions,
            "teacher": TeacherOptions,
        }
        _refuse_steps(task, given)
        names = {group: {each.name for each in fields(kind)} for group, kind in groups.items()}
        if unknown := given.keys() - set().union(*names.values()):
            raise TypeError(f"finetune() has no setting {min(unknown)!r}")
        _check_teacher(given)
        if given.get("add_tokens") and given.get("freeze", "nothing") != "nothing":
            raise UsageError("`add_tokens` needs embeddings that learn; drop it or `freeze`")
        return cls(
            task=task,
            given=given,
            **{
                group: kind(**{name: given[name] for name in names[group] & given.keys()})
                for group, kind in groups.items()
            },
        )

    def locate(self, *, offline: bool) -> tuple[ModelFiles | None, ModelFiles | None]:
        """Find the files of the initial model, None for part of the teacher, and of the teacher.

        Raises `ModelError` for a model that is not there.
        """
        model, teacher = self.start.model, self.teacher.teacher
        if model is None and teacher is None:
            model = _DEFAULT_MODEL
        return (
            None if model is None else locate(model, offline=offline),
            None if teacher is None else locate(teacher, offline=offline),
        )


def _check_teacher(given: Mapping[str, Any]) -> None:
    """Raise `UsageError` for two teachers, and for settings without the teacher that they need."""
    named = [name for name in ("teacher", *_RECORDED) if given.get(name)]
    if len(named) > 1:
        raise UsageError(f"`{named[0]}` and `{named[1]}` do not go together; give one of them")
    of_any = {"temperature", "alpha_ce", "alpha_task"}
    of_models = {each.name for each in fields(DistillationOptions)} - of_any | {"teacher_cache"}
    for name in sorted((of_models | of_any) & given.keys()):
        if not named:
            raise UsageError(f"`{name}` needs a `teacher`; name one")
        if name in of_models and named[0] in _RECORDED:
            raise UsageError(f"`{name}` has no effect with `{named[0]}`, only with a `teacher`")
    if named and named[0] in _RECORDED and given.get("mix"):
        raise UsageError(f"`mix` and `{named[0]}` do not go together; join the files first")
    if named and named[0] in _RECORDED and given.get("alpha_ce") == 0:
        raise UsageError(f"`{named[0]}` has no effect if `alpha_ce` is 0; drop one of them")


def _refuse_steps(task: str, given: Mapping[str, Any]) -> None:
    """Raise `UsageError` for a setting of training steps if the head is fitted without any.

    With a teacher, and with texts that vary, it learns step by step.
    """
    learns = task not in _TEXT_TASKS or any(
        given.get(name) for name in ("teacher", *_RECORDED, "augment")
    )
    if given.get("freeze") != "encoder" or learns:
        return
    steps = {each.name for each in fields(TrainingOptions)} - {"freeze", "seed"}
    for name in sorted(steps & given.keys()):
        raise UsageError(
            f"`{name}` has no effect with a frozen encoder, whose head is fitted directly; drop it "
            "or `freeze`"
        )


class FinetuneOptions(TypedDict, total=False):
    """The settings of a run, for type checkers; see `options`."""

    mix: str | Sequence[str]
    valid: Data
    valid_split: float
    text_column: str
    pair_column: str
    negative_column: str
    label_column: str
    label_separator: str
    label_columns: str | Sequence[str]
    labels: str | Sequence[str]
    options_column: str
    option_columns: str | Sequence[str]
    input_format: str
    encoding: str
    delimiter: str
    join: str
    no_header: bool
    word_column: int
    keep_empty: bool
    limit: int
    model: str
    fold: bool
    student_layers: str
    student: str
    positions: int
    position_growth: Literal["copy", "interpolate"]
    add_tokens: str | Sequence[str]
    prune_heads: Sequence[str]
    max_length: int
    class_weights: Literal["balanced"]
    label_smoothing: float
    augment: float
    epochs: int
    learning_rate: float
    schedule: Literal["linear", "cosine"]
    warmup: float
    weight_decay: float
    layer_decay: float
    clip: float
    token_budget: int
    accumulate: int
    gradient_checkpointing: bool
    freeze: str
    dropout: float
    average: float
    precision: Literal["auto", "fp32", "bf16"]
    evaluate_every: int
    early_stopping: int
    seed: int
    teacher: str
    teacher_scores: str
    teacher_vectors: str
    teacher_cache: str
    temperature: float
    alpha_ce: float
    alpha_task: float
    alpha_cos: float
    alpha_hidden: float
    alpha_attention: float
