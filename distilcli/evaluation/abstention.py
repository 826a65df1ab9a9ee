"""Thresholds for a model: found on rows, reported, and saved where it is run with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from distilcli.checkpoint.abstention import KEY, Abstention
from distilcli.checkpoint.config import read_config
from distilcli.checkpoint.folder import CONFIG_NAME
from distilcli.checkpoint.locate import is_of_user
from distilcli.errors import GateError, UsageError
from distilcli.evaluation.calibrate import save_in_config
from distilcli.evaluation.of_model import ModelSubject, task_of_config
from distilcli.evaluation.results.base import Results, Table
from distilcli.rows.output import check_destination
from distilcli.scores.abstention import (
    Answered,
    Decisions,
    fewest_rows,
    lowest_threshold,
    risk_coverage,
)

CONFIDENCE = 0.95
"""The confidence of a bound if none is given."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The thresholds that were found, None if there are none, and what is reported of them."""

    abstention: Abstention | None
    decisions: Decisions
    max_error: float
    confidence: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    tables: Sequence[Table] = ()
    without: Sequence[str] = ()

    def check(self) -> None:
        """Raise `GateError` if no threshold keeps the error low enough."""
        if self.abstention is None:
            least = fewest_rows(max_error=self.max_error, confidence=self.confidence)
            raise GateError(
                f"no threshold keeps the error at or below {self.max_error:g} with a confidence of "
                f"{self.confidence:g}: {least:,} right answers and no wrong one would be the "
                "least; give more rows, a better model, or a higher `max_error`"
            )


def check_abstention(subject: ModelSubject, max_error: float) -> None:
    """Raise `UsageError` unless `max_error` is a share and the model can store thresholds."""
    if not 0 < max_error < 1:
        raise UsageError(f"`max_error` {max_error:g}: give a share between 0 and 1, such as 0.02")
    if is_of_user(subject.name):
        path = Path(subject.name).expanduser() / CONFIG_NAME
        check_destination(str(path), force=True)
        trained = task_of_config(read_config(path))
        if trained is not None and trained.name != subject.task.name:
            raise UsageError(
                f"`max_error`: {subject.name} is for the task {trained.name}, whose thresholds it "
                "would keep; leave out `task`"
            )


def find_thresholds(
    results: Results, *, max_error: float, confidence: float, per_label: bool
) -> Found:
    """Find the lowest score at which at most `max_error` of new answers are wrong.

    `per_label`, as always with several labels per row, that holds of each label, and with
    probability `confidence` of all of them together (Bonferroni). See `lowest_threshold`.
    """
    decisions, labels = results.decisions(), results.label_names()
    groups = {"": decisions}
    if per_label or results.decides_each_label:
        groups = {label: decisions.where(decisions.labels == label) for label in labels}
    level = 1 - (1 - confidence) / len(groups)
    found = {
        label: lowest_threshold(group, max_error=max_error, confidence=level)
        for label, group in groups.items()
    }
    tables = [
        Table("thresholds", "thresholds", _thresholds(found, level)),
        Table("risk_coverage", "error by coverage", _by_coverage(decisions, confidence)),
    ]
    known = [one for one in found.values() if one is not None]
    about = Found(
        abstention=None, decisions=decisions, max_error=max_error, confidence=confidence,
        tables=tables,
    )  # fmt: skip
    if not known:
        return about
    return Found(
        abstention=Abstention(
            thresholds=known[0].threshold
            if "" in found
            else {label: one.threshold if one else None for label, one in found.items()},
            max_error=max_error,
            confidence=confidence,
        ),
        decisions=decisions,
        max_error=max_error,
        confidence=confidence,
        metrics={"threshold": known[0].threshold} if "" in found else {},
        tables=tables,
        without=[label for label, one in found.items() if one is None],
    )


def save_thresholds(model: str, abstention: Abstention) -> None:
    """Write the thresholds to the `config.json` of a model."""
    save_in_config(Path(model).expanduser() / CONFIG_NAME, {KEY: abstention.as_json()})


def _thresholds(found: Mapping[str, Answered | None], level: float) -> list[dict[str, object]]:
    return [
        {
            **({"label": label} if label else {}),
            **(_record(one, level) if one is not None else dict.fromkeys(_COLUMNS)),
        }
        for label, one in found.items()
    ]


def _by_coverage(decisions: Decisions, confidence: float) -> list[dict[str, object]]:
    return [_record(one, confidence) for one in risk_coverage(decisions)]


_COLUMNS = ("threshold", "coverage", "answers", "error", "error_bound")


def _record(one: Answered, confidence: float) -> dict[str, object]:
    values = (one.threshold, one.coverage, one.count, one.error, one.bound(confidence))
    return dict(zip(_COLUMNS, values, strict=True))
