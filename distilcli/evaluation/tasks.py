"""Which task is evaluated, and what can be measured of it."""

from collections.abc import Sequence
from typing import Literal

from distilcli.checkpoint.config import read_config
from distilcli.checkpoint.locate import ModelFiles
from distilcli.errors import ModelError, UsageError
from distilcli.model.heads import (
    HEADS,
    BaseModel,
    MaskedLanguageModel,
    MultipleChoice,
    QuestionAnswerer,
    SequenceClassifier,
    TaskModel,
    TokenClassifier,
)
from distilcli.tasks.classify import Kind, kind_of

Task = Literal["classify", "multilabel", "regress", "tag", "qa", "mlm", "embed", "choose"]

METRICS: dict[Task, tuple[str, ...]] = {
    "classify": (
        *("accuracy", "precision", "recall", "macro_f1", "micro_f1", "matthews", "auc", "ece"),
    ),
    "multilabel": ("accuracy", "precision", "recall", "micro_f1", "macro_f1", "auc", "ece"),
    "regress": ("pearson", "spearman", "mae", "rmse"),
    "tag": ("precision", "recall", "f1", "accuracy"),
    "qa": ("exact_match", "f1"),
    "mlm": ("perplexity",),
    "embed": ("pearson", "spearman"),
    "choose": ("accuracy", "ece"),
}
"""The figures of each task, in the order in which they are shown."""

SEARCHED: dict[Task, tuple[str, ...]] = {
    "classify": ("best_threshold", "best_f1"),
    "multilabel": ("best_threshold", "best_micro_f1"),
    "qa": ("best_threshold", "best_f1"),
}
"""What a search for the best threshold adds."""

_WITH_THRESHOLD: tuple[Task, ...] = ("multilabel", "qa")

_OF_HEADS: dict[type[TaskModel], Task] = {
    TokenClassifier: "tag",
    QuestionAnswerer: "qa",
    MaskedLanguageModel: "mlm",
    MultipleChoice: "choose",
    BaseModel: "embed",
}
_OF_KINDS: dict[Kind, Task] = {"single": "classify", "multi": "multilabel", "regression": "regress"}


def metrics_of(task: Task, *, threshold: float | None, search: bool) -> tuple[str, ...]:
    """Return the names of the figures that there will be.

    Raises `UsageError` for a threshold, or a search for one, that means nothing to the task.
    """
    if threshold is not None and task not in _WITH_THRESHOLD:
        raise UsageError(f"--threshold is for {' and '.join(_WITH_THRESHOLD)}, not for {task}")
    if search and task not in SEARCHED:
        raise UsageError(f"--threshold-search is for {', '.join(SEARCHED)}, not for {task}")
    return (*METRICS[task], *(SEARCHED[task] if search else ()))


def task_of_model(files: ModelFiles) -> Task:
    """Return the task that a model's head is for, as its config.json says.

    Raises `ModelError` where it does not say.
    """
    config = read_config(files.config_path)
    for head in heads_of(config.extra.get("architectures")):
        return _OF_KINDS[kind_of(config)] if head is SequenceClassifier else _OF_HEADS[head]
    raise ModelError(
        f"{files.name}: config.json names no architecture, so its task is unknown; give --task"
    )


def heads_of(architectures: object) -> list[type[TaskModel]]:
    """Return the heads that the names of architectures mean."""
    names = architectures if isinstance(architectures, list) else []
    # The ending of a base model, Model, is none of the others'.
    return [
        kind for name in names for kind, head in HEADS.items() if str(name).endswith(head.ending)
    ]


def task_of_columns(columns: Sequence[str], prefixes: Sequence[str]) -> Task | None:
    """Return the task whose predictions have such columns; None where they say nothing."""
    names = set(columns)
    for prefix in prefixes:
        for task, telling in _TELLING:
            if {prefix + name for name in telling} <= names:
                return task
    return None


_TELLING: tuple[tuple[Task, tuple[str, ...]], ...] = (
    ("multilabel", ("labels", "scores")),
    ("choose", ("choice_index",)),
    ("mlm", ("pseudo_perplexity",)),
    ("qa", ("answer", "no_answer_score")),
    ("tag", ("tags",)),
    ("classify", ("label",)),
    ("qa", ("answer",)),
    ("regress", ("score",)),
)
