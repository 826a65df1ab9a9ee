"""Settings of what is done with rows to learn from, and which tasks each is for."""

from dataclasses import dataclass
from typing import Any, Literal

from distilcli.errors import UsageError
from distilcli.training.datasets.columns import Columns

WHOLE_TEXTS = ("classify", "multilabel", "regress")
_ONLY_FOR = {
    "--class-weights": ("classify", "multilabel"),
    "--label-smoothing": ("classify", "tag"),
    "--augment": WHOLE_TEXTS,
    "--label-separator": ("multilabel",),
    "--options-column": ("choose",),
    "--option-columns": ("choose",),
    "--pair-column": (*WHOLE_TEXTS, "qa", "embed"),
    "--label-column": (*WHOLE_TEXTS, "tag", "qa", "embed", "choose"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class LessonOptions:
    """How rows are learned, where the task allows it.

    With `class_weights` "balanced" rows of rare labels count more. `label_smoothing` is the share
    of a label that is spread over all. `augment` is the probability with which a word is left out
    in an epoch, and that with which two neighbours change places. `seed` is of all that is drawn.
    """

    class_weights: Literal["balanced"] | None = None
    label_smoothing: float = 0.0
    augment: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise `UsageError` for a share that is none."""
        for name in ("label_smoothing", "augment"):
            if not 0 <= (value := getattr(self, name)) < 1:
                option = name.replace("_", "-")
                raise UsageError(f"--{option} is {value}; it must be from 0 to below 1")

    def digests(self) -> dict[str, Any]:
        """Tell the settings: a run goes on only with the same ones."""
        return {
            "class_weights": self.class_weights,
            "label_smoothing": self.label_smoothing,
            "augment": self.augment,
        }


def refuse_without_effect(task: str, columns: Columns, options: LessonOptions) -> None:
    """Raise `UsageError` for an option that was given and means nothing to a task."""
    given: dict[str, object] = {
        "--class-weights": options.class_weights,
        "--label-smoothing": options.label_smoothing,
        "--augment": options.augment,
        "--label-separator": columns.separator,
        "--options-column": columns.options,
        "--option-columns": columns.option_list,
        "--pair-column": columns.pair,
        "--label-column": columns.label,
    }
    for option, value in given.items():
        tasks = _ONLY_FOR[option]
        if value and task not in tasks:
            raise UsageError(
                f"{option} has no effect on --task {task}; it is for {', '.join(tasks)}"
            )
