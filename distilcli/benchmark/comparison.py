"""A model against a rival in one setting, measured alternately: the ratios of both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from distilcli.benchmark.measure import Measured, Round
from distilcli.benchmark.result import Result, median_interval
from distilcli.scores.bootstrap import Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Ratios of the model to its rival; `rate` and `latency` are medians over the rounds.

    The model wins with a `rate` above 1 and a `latency` below 1.
    """

    model: Result
    rival: Result
    rate: float
    rate_interval: Interval
    latency: float
    latency_interval: Interval

    def record(self) -> dict[str, object]:
        """Return everything as one flat object of JSON values."""
        setting, rival = self.model.setting.as_dict(), self.rival.setting.model
        return {**setting, "versus": rival, **self.ratios()}

    def ratios(self) -> dict[str, float | None]:
        """Return only the ratios; None where one of the two is unknown."""
        ours, theirs = self.model, self.rival
        return {
            "rate_ratio": self.rate,
            "rate_ratio_low": self.rate_interval[0],
            "rate_ratio_high": self.rate_interval[1],
            "latency_ratio": self.latency,
            "latency_ratio_low": self.latency_interval[0],
            "latency_ratio_high": self.latency_interval[1],
            "memory_ratio": _ratio(ours.memory.added, theirs.memory.added),
            "model_bytes_ratio": ours.model_bytes / theirs.model_bytes,
            "parameters_ratio": ours.parameters / theirs.parameters,
            "flops_ratio": ours.flops_per_sequence / theirs.flops_per_sequence,
        }


def compare_rounds(results: Sequence[Result], measured: Sequence[Measured]) -> Comparison:
    """Compare a model and its rival round by round: what slows a round slows both."""
    model, rival = results
    rates = _ratios(measured, lambda each: each.batches_per_second)
    latencies = _ratios(measured, lambda each: median(each.latencies))
    return Comparison(
        model=model,
        rival=rival,
        rate=median(rates),
        rate_interval=median_interval(rates),
        latency=median(latencies),
        latency_interval=median_interval(latencies),
    )


def _ratios(measured: Sequence[Measured], metric: Callable[[Round], float]) -> list[float]:
    model, rival = measured
    pairs = zip(model.rounds, rival.rounds, strict=True)
    return [metric(ours) / metric(theirs) for ours, theirs in pairs]


def _ratio(ours: int | None, theirs: int | None) -> float | None:
    return ours / theirs if ours is not None and theirs else None
