"""A whole benchmark: results, ratios, the best settings, and the machine they are from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import torch

from distilcli.benchmark.comparison import Comparison
from distilcli.benchmark.result import Result, Setting
from distilcli.model.hardware import read_machine

FORMAT = "distil bench"
DATASET_FORMAT = "distil bench dataset"
VERSION = 1
_OF_MACHINE = ("cpu", "gpu", "torch", "date")


def describe_machine(device: torch.device, *, threads: int) -> dict[str, Any]:
    """Say what figures depend on beside the setting, as plain JSON values."""
    machine = read_machine(device)
    return {
        "cpu": machine.cpu,
        "cpu_flags": list(machine.cpu_flags),
        "cores": machine.cores,
        "threads": threads,
        "device": str(device),
        "gpu": machine.device if device.type != "cpu" else None,
        "torch": machine.torch,
        "distil": machine.distil,
        "python": machine.python,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def machine_columns(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a line of figures says of the machine that they are from."""
    return {name: environment.get(name) for name in _OF_MACHINE}


@dataclass(frozen=True, slots=True)
class Change:
    """One setting then and now: p50 in milliseconds, and the rate in sequences per second."""

    setting: Setting
    old_ms: float
    new_ms: float
    old_rate: float
    new_rate: float

    @property
    def p50_share(self) -> float:
        """0.05 where p50 is 5 % longer."""
        return self.new_ms / self.old_ms - 1

    @property
    def rate_share(self) -> float:
        """-0.05 where the rate is 5 % lower."""
        return self.new_rate / self.old_rate - 1

    def figures(self) -> dict[str, Any]:
        """Return what is added to the result's own figures."""
        return {
            "old_p50_ms": self.old_ms,
            "p50_change": self.p50_share,
            "old_sequences_per_second": self.old_rate,
            "rate_change": self.rate_share,
        }


@dataclass(slots=True)
class Report:
    """What was found; `skipped` has the reason for each precision that was left out.

    `changes` are those since an older benchmark.
    """

    environment: Mapping[str, Any] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def own(self) -> list[Result]:
        """The model's results, without its rival's."""
        model = self.results[0].setting.model if self.results else None
        return [result for result in self.results if result.setting.model == model]

    def best(self) -> dict[str, Result]:
        """Return the result with most tokens per second, and the one of the lowest latency.

        Only the model's own count, not its rival's.
        """
        own = self.own
        return {
            "throughput": max(own, key=lambda result: result.tokens_per_second),
            "latency": min(own, key=lambda result: result.latency_ms["p50"]),
        }

    def records(self) -> list[dict[str, Any]]:
        """Return a line for each result, with its ratios, what has changed, and the machine.

        Ratios stand with the model's own results; those of its rival have none.
        """
        ratios = {each.model.setting: each.ratios() for each in self.comparisons}
        changes = {each.setting: each.figures() for each in self.changes}
        more = [
            (found, dict.fromkeys(next(iter(found.values()), ()))) for found in (ratios, changes)
        ]
        return [
            result.record()
            | {
                name: value
                for found, empty in more
                for name, value in found.get(result.setting, empty).items()
            }
            | machine_columns(self.environment)
            for result in self.results
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values: what `--compare` reads."""
        best = self.best() if self.results else {}
        return {
            "format": FORMAT,
            "version": VERSION,
            "environment": dict(self.environment),
            "results": [result.record() for result in self.results],
            "comparisons": [comparison.record() for comparison in self.comparisons],
            "changes": [
                {**change.setting.as_dict(), **change.figures()} for change in self.changes
            ],
            "best": {name: result.setting.as_dict() for name, result in best.items()},
            "skipped": self.skipped,
        }
