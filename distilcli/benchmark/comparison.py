"""Two models by turns in one setting: how many times the one is the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from distilcli.benchmark.measure import Measured, Round
from distilcli.benchmark.result import Result, median_interval
from distilcli.scores.bootstrap import Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Ratios of the model to its rival; those of times are medians over the rounds.

    `rate` above 1 and `latency` below 1 are for the model. A ratio of what one of the two does not
    tell is None.
    """

    model: Result
    rival: Result
    rate: float
    rate_interval: Interval
    latency: float
    latency_interval: Interval

    def record(self) -> dict[str, Any]:
        """Return all of it in one level, as plain JSON values."""
        versus = {"versus": self.rival.setting.model}
        return {**self.model.setting.as_dict(), **versus, **self.ratios()}

    def ratios(self) -> dict[str, Any]:
        """Return the ratios alone."""
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
    """Compare a model and its rival round by round: what slowed a round slowed both."""
    model, rival = results
    rates = _ratios(measured, lambda one: one.batches_per_second)
    latencies = _ratios(measured, lambda one: median(one.latencies))
    return Comparison(
        model=model,
        rival=rival,
        rate=median(rates),
        rate_interval=median_interval(rates),
        latency=median(latencies),
        latency_interval=median_interval(latencies),
    )


def _ratios(measured: Sequence[Measured], figure: Callable[[Round], float]) -> list[float]:
    model, rival = measured
    return [
        figure(one) / figure(other) for one, other in zip(model.rounds, rival.rounds, strict=True)
    ]


def _ratio(one: int | None, other: int | None) -> float | None:
    return one / other if one is not None and other else None
