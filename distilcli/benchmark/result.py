"""The results of one model in one setting, and their JSON form."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from distilcli.benchmark.measure import Measured
from distilcli.benchmark.memory import Memory
from distilcli.scores.bootstrap import Interval, intervals
from distilcli.stats import percentile

PERCENTILES = (50, 90, 95, 99)
_MILLI = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What must be equal for two results to be compared."""

    model: str
    device: str
    precision: str
    seq: int
    batch: int
    threads: int

    def as_dict(self) -> dict[str, object]:
        """Return it as JSON values."""
        return asdict(self)

    def described(self) -> str:
        """Return its name for messages."""
        return (
            f"{self.model} on {self.device}, {self.precision}, seq {self.seq}, batch {self.batch}, "
            f"threads {self.threads}"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """The measurements of one setting.

    Latency is of one batch alone; rates are of many. `ceiling` is the machine's peak rate of matrix
    products, in operations per second.
    """

    setting: Setting
    latency_ms: Mapping[str, float]
    p50_interval_ms: Interval
    timings: int
    batches_per_second: float
    flops_per_sequence: int
    ceiling: float
    memory: Memory
    model_bytes: int
    parameters: int

    @property
    def sequences_per_second(self) -> float:
        """Sequences per second."""
        return self.batches_per_second * self.setting.batch

    @property
    def tokens_per_second(self) -> float:
        """Tokens per second; there is no padding."""
        return self.sequences_per_second * self.setting.seq

    @property
    def gflops(self) -> float:
        """Operations of matrix products per second, in billions."""
        return self.sequences_per_second * self.flops_per_sequence / 1e9

    @property
    def ceiling_share(self) -> float:
        """The share of the machine's peak rate that the model reaches, 0 to 1."""
        return self.gflops * 1e9 / self.ceiling

    def record(self) -> dict[str, object]:
        """Return everything as one flat object of JSON values."""
        low, high = self.p50_interval_ms
        memory = asdict(self.memory)
        return {
            **self.setting.as_dict(),
            **{f"{name}_ms": value for name, value in self.latency_ms.items()},
            "p50_low_ms": low,
            "p50_high_ms": high,
            "timings": self.timings,
            "sequences_per_second": self.sequences_per_second,
            "tokens_per_second": self.tokens_per_second,
            "gflops": self.gflops,
            "ceiling_gflops": self.ceiling / 1e9,
            "ceiling_share": self.ceiling_share,
            "peak_memory_bytes": memory["process"],
            "cuda_allocated_bytes": memory["cuda_allocated"],
            "cuda_reserved_bytes": memory["cuda_reserved"],
            "added_memory_bytes": memory["added"],
            "model_bytes": self.model_bytes,
            "parameters": self.parameters,
            "gflop_per_sequence": self.flops_per_sequence / 1e9,
        }


def latency_of(measured: Measured) -> tuple[dict[str, float], Interval]:
    """Return nearest-rank percentiles in milliseconds, and the 95 % interval of the median."""
    times = sorted(seconds * _MILLI for seconds in measured.latencies)
    found = {f"p{percent}": percentile(times, percent) for percent in PERCENTILES}
    return found, median_interval(times)


def median_interval(values: Sequence[float]) -> Interval:
    """Return the 95 % bootstrap interval of a median."""
    array = np.asarray(values, dtype=float)
    return intervals(lambda drawn: {"median": float(np.median(array[drawn]))}, len(array))["median"]
