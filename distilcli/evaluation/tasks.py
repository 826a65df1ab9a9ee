"""Which task is evaluated, and what can be measured of it."""

from collections.abc import Iterable, Sequence
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

_LABELLED: tuple[Task, ...] = ("classify", "multilabel")
_WHOLE_TEXTS: tuple[Task, ...] = (*_LABELLED, "regress")
_ONLY_FOR: dict[str, tuple[Task, ...]] = {
    "--threshold": ("multilabel", "qa"),
    "--threshold-search": tuple(SEARCHED),
    "--label-separator": ("multilabel",),
    "--options-column": ("choose",),
    "--option-columns": ("choose",),
    "--map": _LABELLED,
    "--label-column": (*_WHOLE_TEXTS, "tag", "qa", "embed", "choose"),
    "--pair-column": (*_WHOLE_TEXTS, "qa", "embed"),
    "--window-pooling": (*_WHOLE_TEXTS, "embed"),
}
_ONLY_FOR_MODELS = (
    *("--text-column", "--pair-column"),
    *("--long", "--max-length", "--stride", "--window-pooling"),
    *("--batch", "--max-tokens", "--threads", "--device", "--precision"),
)
_ONLY_FOR_PREDICTIONS = ("--prefix",)
_OF_HEADS: dict[type[TaskModel], Task] = {
    TokenClassifier: "tag",
    QuestionAnswerer: "qa",
    MaskedLanguageModel: "mlm",
    MultipleChoice: "choose",
    BaseModel: "embed",
}
_OF_KINDS: dict[Kind, Task] = {"single": "classify", "multi": "multilabel", "regression": "regress"}


def refuse_without_effect(task: Task, given: Iterable[str], *, of_model: bool) -> None:
    """Raise `UsageError` for an option that was given and means nothing to what is evaluated.

    That is a task, of a model or of predictions in a file.
    """
    others, what = (
        (_ONLY_FOR_PREDICTIONS, "predictions in a file, not for a model")
        if of_model
        else (_ONLY_FOR_MODELS, "a model, not for predictions in a file")
    )
    for option in given:
        if option in others:
            raise UsageError(f"{option} is for {what}")
        if task not in (tasks := _ONLY_FOR.get(option, (task,))):
            raise UsageError(f"{option} is for {', '.join(tasks)}, not for {task}")


def metrics_of(task: Task, *, search: bool) -> tuple[str, ...]:
    """Return the names of the figures that there will be; `search` adds those of a threshold."""
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
