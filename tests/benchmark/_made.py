"""Results and reports with figures of the test's choosing."""

from collections.abc import Mapping

from distilcli.benchmark.measure import Measured, Round
from distilcli.benchmark.memory import Memory
from distilcli.benchmark.report import Report
from distilcli.benchmark.result import Result, Setting, latency_of

MACHINE = {
    "cpu": "A CPU", "cpu_flags": ["avx2"], "cores": 2, "threads": 2, "device": "cpu", "gpu": None,
    "torch": "2.13.0", "distil": "0.1.0", "python": "3.11.7", "date": "2026-01-01T00:00:00+00:00",
}  # fmt: skip


def setting(**changed: object) -> Setting:
    usual: dict[str, object] = {
        "model": "tiny", "device": "cpu", "precision": "fp32", "seq": 128, "batch": 4, "threads": 2,
    }  # fmt: skip
    return Setting(**(usual | changed))  # type: ignore[arg-type]


def result(
    *,
    p50_ms: float = 10.0,
    batches_per_second: float = 100.0,
    added: int | None = None,
    **of: object,
) -> Result:
    latency_ms, interval = latency_of(measured(p50_ms / 1000))
    return Result(
        setting=setting(**of),
        latency_ms=latency_ms,
        p50_interval_ms=interval,
        timings=3,
        batches_per_second=batches_per_second,
        flops_per_sequence=10**9,
        ceiling=2e12,
        memory=Memory(process=2**30, added=added),
        model_bytes=2**20,
        parameters=1_000,
    )


def measured(*latencies: float, rates: tuple[float, ...] = ()) -> Measured:
    """Make a round of each latency in seconds, with as many batches per second as `rates` say."""
    pairs = zip(latencies, rates or [100.0] * len(latencies), strict=True)
    return Measured(rounds=[Round([seconds], rate) for seconds, rate in pairs])


def report(*results: Result, environment: Mapping[str, object] = MACHINE) -> Report:
    return Report(environment=environment, results=list(results))
