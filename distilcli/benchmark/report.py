"""A whole benchmark: results, ratios, the best settings, and the machine."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import torch

from distilcli.benchmark.comparison import Comparison
from distilcli.benchmark.result import Result, Setting
from distilcli.model.device import names_of
from distilcli.model.hardware import device_name, read_machine

FORMAT = "distil bench"
DATASET_FORMAT = "distil bench dataset"
VERSION = 1
Environment = Mapping[str, Any]
"""What results depend on besides the setting, as JSON values."""

_OF_MACHINE = ("cpu", "gpu", "torch", "date")


def describe_machine(devices: Sequence[torch.device], *, threads: int) -> Environment:
    """Return what results depend on besides the setting, as JSON values."""
    machine = read_machine(devices[0])
    gpus = [device_name(device) for device in devices if device.type != "cpu"]
    return {
        "cpu": machine.cpu,
        "cpu_flags": list(machine.cpu_flags),
        "cores": machine.cores,
        "threads": threads,
        "device": names_of(devices),
        "gpu": ", ".join(gpus) or None,
        "torch": machine.torch,
        "distil": machine.distil,
        "python": machine.python,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def machine_columns(environment: Environment) -> dict[str, object]:
    """Return the columns of a line of results that describe the machine."""
    return {name: environment.get(name) for name in _OF_MACHINE}


@dataclass(frozen=True, slots=True)
class Change:
    """One setting before and now: p50 in milliseconds, and sequences per second."""

    setting: Setting
    old_ms: float
    new_ms: float
    old_rate: float
    new_rate: float

    @property
    def p50_share(self) -> float:
        """0.05 if p50 is 5 % longer."""
        return self.new_ms / self.old_ms - 1

    @property
    def rate_share(self) -> float:
        """-0.05 if the rate is 5 % lower."""
        return self.new_rate / self.old_rate - 1

    def record(self) -> dict[str, object]:
        """Return the columns that a change adds to a result."""
        return {
            "old_p50_ms": self.old_ms,
            "p50_change": self.p50_share,
            "old_sequences_per_second": self.old_rate,
            "rate_change": self.rate_share,
        }


@dataclass(slots=True)
class Report:
    """All results; `skipped` has the reason for each precision that was not measured.

    `changes` are since an older benchmark.
    """

    environment: Environment = field(default_factory=dict)
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
        """Return the model's results with the most tokens per second and the lowest latency."""
        own = self.own
        return {
            "throughput": max(own, key=lambda result: result.tokens_per_second),
            "latency": min(own, key=lambda result: result.latency_ms["p50"]),
        }

    def records(self) -> list[dict[str, object]]:
        """Return a line for each result, with its ratios, its changes, and the machine.

        Ratios and changes are of the model; the columns of its rival are empty.
        """
        added: dict[Setting, dict[str, object]] = defaultdict(dict)
        for comparison in self.comparisons:
            added[comparison.model.setting] |= comparison.ratios()
        for change in self.changes:
            added[change.setting] |= change.record()
        # The first to have a column decides its place.
        empty = dict.fromkeys(name for record in added.values() for name in record)
        machine = machine_columns(self.environment)
        return [
            {**result.record(), **empty, **added[result.setting], **machine}
            for result in self.results
        ]

    def as_dict(self) -> dict[str, object]:
        """Return everything as JSON values, as `compare` reads it."""
        best = self.best() if self.results else {}
        return {
            "format": FORMAT,
            "version": VERSION,
            "environment": dict(self.environment),
            "results": [result.record() for result in self.results],
            "comparisons": [comparison.record() for comparison in self.comparisons],
            "changes": [{**change.setting.as_dict(), **change.record()} for change in self.changes],
            "best": {name: result.setting.as_dict() for name, result in best.items()},
            "skipped": self.skipped,
        }
