"""The scores below which a model abstains, as `config.json` keeps them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from distilcli.checkpoint.json_file import JsonObject, shown
from distilcli.errors import ModelError, UsageError
from distilcli.wording import listing

KEY = "abstention"
"""The key in `config.json`; `transformers` keeps it, and does not use it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Abstention:
    """The lowest score of an answer: one for all labels, or one for each.

    A label without one, or with None, is never given. Of as many new rows as they were found on, at
    most `max_error` of the answers are wrong, with probability `confidence`.
    """

    thresholds: float | Mapping[str, float | None]
    max_error: float
    confidence: float

    def threshold(self, label: str) -> float:
        """Return the lowest score of a label, infinity if it is never given."""
        if isinstance(self.thresholds, float):
            return self.thresholds
        found = self.thresholds.get(label)
        return math.inf if found is None else found

    def described(self) -> str:
        """Say in words when the model abstains, and what for."""
        found = self.thresholds
        if isinstance(found, float):
            below = f"a score of {found:.4g}"
        else:
            least = [f"{label} {score:.4g}" for label, score in found.items() if score is not None]
            below = f"the least score of a label ({listing(least)})"
        error = f"{self.max_error * 100:g} %"
        return f"abstains below {below}, so that at most {error} of its answers are wrong"

    def as_json(self) -> JsonObject:
        """Return the value of `KEY`."""
        found = self.thresholds
        return {
            "thresholds": found if isinstance(found, float) else dict(found),
            "max_error": self.max_error,
            "confidence": self.confidence,
        }


def parse_abstention(raw: JsonObject, source: str) -> Abstention | None:
    """Read the thresholds of a `config.json`; raise `ModelError` for what are none."""
    found = raw.get(KEY)
    if found is None:
        return None
    if not isinstance(found, dict):
        raise ModelError(f"{source}: {KEY} is {shown(found)}; it must be an object")
    thresholds = found.get("thresholds")
    return Abstention(
        thresholds={
            label: None if score is None else _share(score, f"thresholds of {label!r}", source)
            for label, score in thresholds.items()
        }
        if isinstance(thresholds, dict)
        else _share(thresholds, "thresholds", source),
        max_error=_share(found.get("max_error"), "max_error", source),
        confidence=_share(found.get("confidence"), "confidence", source),
    )


def in_use(found: Abstention | None, name: str, *, no_abstain: bool) -> Abstention | None:
    """Return the thresholds that a model applies; raise `UsageError` if there are none to leave."""
    if no_abstain and found is None:
        raise UsageError(f"`no_abstain`: {name} has no thresholds; leave it out")
    return None if no_abstain else found


def _share(value: object, what: str, source: str) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= 1:  # type: ignore[operator]
        raise ModelError(f"{source}: {KEY}: {what} is {shown(value)}; it must be from 0 to 1")
    return float(value)  # type: ignore[arg-type]
