"""Gates: metrics that must not be below a minimum or above a maximum."""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from distilcli.errors import GateError, UsageError


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition: `metric` is at least (`min`) or at most (`max`) `value`."""

    kind: Literal["min", "max"]
    metric: str
    value: float

    def holds(self, found: float) -> bool:
        """Whether what was found is good enough; NaN is not."""
        return found >= self.value if self.kind == "min" else found <= self.value


def parse_gates(
    minimum: Sequence[str], maximum: Sequence[str], *, known: Sequence[str]
) -> tuple[Gate, ...]:
    """Read gates written `METRIC=VALUE`; raise `UsageError` for a malformed one."""
    return (
        *(_parsed("min", text, known) for text in minimum),
        *(_parsed("max", text, known) for text in maximum),
    )


def _parsed(kind: Literal["min", "max"], text: str, known: Sequence[str]) -> Gate:
    metric, sign, number = (part.strip() for part in text.partition("="))
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not sign or math.isnan(value):
        raise UsageError(f"`{kind}imum` {text!r}: write METRIC=VALUE, such as accuracy=0.9")
    if metric not in known:
        near = difflib.get_close_matches(metric, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(f"`{kind}imum` {text}: {hint}the metrics here are {', '.join(known)}")
    return Gate(kind, metric, value)


def check_gates(gates: Sequence[Gate], metrics: Mapping[str, float]) -> None:
    """Raise `GateError` that names every gate that does not hold."""
    failed = []
    for gate in gates:
        value = metrics.get(gate.metric, math.nan)
        if not gate.holds(value):
            found = "undefined" if math.isnan(value) else f"{value:.4f}"
            bound = "at least" if gate.kind == "min" else "at most"
            failed.append(f"{gate.metric} is {found}, not {bound} {gate.value:g}")
    if failed:
        raise GateError(f"gate failed: {'; '.join(failed)}")
