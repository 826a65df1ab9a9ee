import math

import pytest

from distilcli.errors import GateError, UsageError
from distilcli.evaluation.gates import Gate, check_gates, parse_gates

KNOWN = ("accuracy", "ece")


def test_gates_are_read() -> None:
    found = parse_gates(["accuracy = 0.9"], ["ece=.05"], known=KNOWN)
    assert found == (Gate("min", "accuracy", 0.9), Gate("max", "ece", 0.05))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("accuracy", "write METRIC=VALUE, such as accuracy=0.9"),
        ("accuracy=high", "write METRIC=VALUE, such as accuracy=0.9"),
        ("accuracy=nan", "write METRIC=VALUE, such as accuracy=0.9"),
        ("acuracy=0.9", "did you mean 'accuracy'? the metrics here are accuracy, ece"),
        ("zzz=1", "`minimum` zzz=1: the metrics here are accuracy, ece"),
    ],
)
def test_a_gate_that_cannot_be_meant(text: str, words: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_gates([text], [], known=KNOWN)
    assert words in str(raised.value)


def test_bounds_belong_to_what_is_good() -> None:
    gates = parse_gates(["accuracy=0.9"], ["ece=0.05"], known=KNOWN)
    check_gates(gates, {"accuracy": 0.9, "ece": 0.05})


def test_every_gate_that_fails_is_named() -> None:
    gates = parse_gates(["accuracy=0.9"], ["ece=0.05"], known=KNOWN)
    with pytest.raises(GateError) as raised:
        check_gates(gates, {"accuracy": 0.85, "ece": 0.06})
    assert str(raised.value) == (
        "gate failed: accuracy is 0.8500, not at least 0.9; ece is 0.0600, not at most 0.05"
    )


@pytest.mark.parametrize("figures", [{}, {"accuracy": math.nan}])
def test_what_is_undefined_does_not_pass(figures: dict[str, float]) -> None:
    with pytest.raises(GateError, match="accuracy is undefined"):
        check_gates(parse_gates(["accuracy=0"], [], known=KNOWN), figures)
