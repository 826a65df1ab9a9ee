"""What the end of a run says about it: whether to train longer, or otherwise."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_STILL_FALLING = 0.1  # share of the loss that went in the last interval
_CERTAIN = 2.0  # standard errors
_FEWEST_ROWS = 10  # fewer say nothing about chance


@dataclass(frozen=True, slots=True)
class Advice:
    """A reason to run again, and the setting that would help; None takes it back."""

    reason: str
    setting: str
    value: str | None


def advise(
    history: Sequence[Mapping[str, float]],
    *,
    epochs: int,
    frozen: bool,
    gold: Sequence[int] = (),
) -> Advice | None:
    """Return what would make the next run better, None if nothing is known to.

    `history` are the evaluations, `epochs` those of the run; `gold` the labels of the validation
    rows if each has one.
    """
    best = next(entry for entry in reversed(history) if entry["best"])
    if len(gold) >= _FEWEST_ROWS:
        share = Counter(gold).most_common(1)[0][1] / len(gold)
        error = math.sqrt(share * (1 - share) / len(gold))
        if best["accuracy"] <= share + _CERTAIN * error and share < 1:
            reason = (
                f"accuracy {best['accuracy']:.4f} is hardly better than always giving the most "
                f"frequent label ({share:.4f})"
            )
            longer = Advice(reason, "epochs", str(3 * epochs))
            return Advice(reason, "freeze", None) if frozen else longer
    trained = [entry for entry in history if entry["step"]]
    if len(trained) > 1 and best is history[-1]:
        before, last = (entry["train_loss"] for entry in trained[-2:])
        if last < before * (1 - _STILL_FALLING):
            reason = "the last evaluation was the best, and the loss was still falling"
            return Advice(reason, "epochs", str(2 * epochs))
    return None
