"""How much faster a model is than another: batches of both timed in turn, on this machine."""

from dataclasses import dataclass

from distilcli.benchmark.measure import Effort
from distilcli.benchmark.runner import Plan, Voice, run
from distilcli.scores.bootstrap import Interval

_TOKENS, _ROWS, _ROUNDS = 64, 8, 7


@dataclass(frozen=True, slots=True)
class Speed:
    """Sequences per second of both models in fp32, and the ratio, which is measured in pairs."""

    tokens: int
    before: float
    after: float
    ratio: float
    interval: Interval


def compare_speed(
    new: str, old: str, *, longest: int, seconds: float, device: str, offline: bool
) -> Speed:
    """Time two models for `seconds` each, with sequences of at most `longest` tokens."""
    tokens = min(_TOKENS, longest)
    plan = Plan(
        model=new,
        rival=old,
        device=device,
        sizes=((tokens, _ROWS),),
        effort=Effort(rounds=_ROUNDS, seconds=seconds / 2),
        offline=offline,
    )
    silent = Voice(*3 * [lambda _: None])
    (found,) = run(plan, silent).comparisons
    return Speed(
        tokens,
        found.rival.sequences_per_second,
        found.model.sequences_per_second,
        found.rate,
        found.rate_interval,
    )
