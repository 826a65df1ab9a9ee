"""What runs over a file took, stage by stage, and the plans made from them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

from distilcli.benchmark.forecast import Forecast
from distilcli.benchmark.report import DATASET_FORMAT, Environment, machine_columns


class StageTime(NamedTuple):
    """Seconds of a stage, its share of all stages, and rows per second; None if unknown."""

    stage: str
    seconds: float
    share: float | None
    rows_per_second: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetResult:
    """One run: `seconds` of wall time, and seconds by stage, summed over threads.

    Stages run side by side, so their sum exceeds the wall time. `peak_memory_bytes` is of the
    process: during the run, or since its start if the system cannot reset the peak.
    `added_memory_bytes` is what the run added to it, on CUDA to the device's memory.
    """

    model: str
    done: str
    device: str
    precision: str
    threads: int
    rows: int
    failed_rows: int
    tokens: int
    load_seconds: float
    seconds: float
    rows_per_second: float
    tokens_per_second: float
    peak_memory_bytes: int | None
    added_memory_bytes: int | None
    stages: dict[str, float]

    def times(self) -> list[StageTime]:
        """Return the times of each stage and those of the whole run."""
        spent = sum(self.stages.values())
        stages = [
            StageTime(name, seconds, seconds / spent, self.rows / seconds if seconds else None)
            for name, seconds in self.stages.items()
        ]
        return [*stages, StageTime("whole run", self.seconds, None, self.rows_per_second)]

    def records(self) -> list[dict[str, object]]:
        """Return a line for each stage and one for the whole run."""
        rest = {"failed_rows": self.failed_rows}
        return [{"precision": self.precision, **time._asdict(), **rest} for time in self.times()]


@dataclass(slots=True)
class DatasetReport:
    """All runs, and the machine."""

    environment: Environment
    results: list[DatasetResult]
    plans: list[Forecast] = field(default_factory=list)

    def records(self) -> list[dict[str, object]]:
        """Return the lines of all plans, or of all runs if there are none, with the machine."""
        machine = machine_columns(self.environment)
        shown: Sequence[DatasetResult | Forecast] = self.plans or self.results
        return [record | machine for each in shown for record in each.records()]

    def as_dict(self) -> dict[str, object]:
        """Return everything as plain JSON values."""
        results = [asdict(result) for result in self.results]
        plans = {"plans": [plan.as_dict() for plan in self.plans]} if self.plans else {}
        head = {"format": DATASET_FORMAT, "environment": self.environment}
        return {**head, "results": results, **plans}
