"""How rows are learned."""

from dataclasses import dataclass
from typing import Any, Literal

from distilcli.errors import UsageError


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
                raise UsageError(f"`{name}` is {value}; it must be from 0 to below 1")

    def digests(self) -> dict[str, Any]:
        """Tell the settings: a run goes on only with the same ones."""
        return {
            "class_weights": self.class_weights,
            "label_smoothing": self.label_smoothing,
            "augment": self.augment,
        }
