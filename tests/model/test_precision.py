import pytest
import torch

from distilcli.errors import ResourceError
from distilcli.model import precision
from distilcli.model.precision import (
    choose_training_dtype,
    fastest,
    has_bf16,
    is_bf16_faster,
    shortest_seconds,
)

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("asked", "capable", "rate", "dtype"),
    [
        ("auto", True, 2.0, torch.bfloat16),
        ("auto", True, 0.5, torch.float32),
        ("auto", False, 2.0, torch.float32),
        ("fp32", True, 2.0, torch.float32),
        ("fp32", False, 2.0, torch.float32),
        ("bf16", True, 2.0, torch.bfloat16),
        ("bf16", True, 0.5, torch.bfloat16),
    ],
)
def test_auto_takes_bf16_where_it_is_faster(
    monkeypatch: pytest.MonkeyPatch,
    asked: precision.Precision,
    capable: bool,
    rate: float,
    dtype: torch.dtype,
) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: capable)
    seconds = {"fp32": 1.0, "bf16": 1 / rate}
    monkeypatch.setattr(precision, "_product_seconds", lambda: seconds)
    assert choose_training_dtype(asked, CPU) is dtype


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ({"fp32": 1.0}, "fp32"),
        ({"fp32": 1.0, "bf16": 0.5, "int8": 0.4}, "int8"),
        ({"fp32": 1.0, "bf16": 0.5, "int8": 0.48}, "bf16"),  # as good as alike
        ({"fp32": 1.0, "bf16": 0.95, "int8": 0.93}, "fp32"),
        ({"int8": 0.93, "bf16": 0.95, "fp32": 1.0}, "fp32"),
        ({"fp32": 1.0, "bf16": 0.95, "int8": 0.8}, "int8"),
        ({"fp32": 1.0, "fp16": 0.3, "bf16": 0.3}, "fp16"),
    ],
)
def test_of_two_alike_the_more_exact_is_taken(
    seconds: dict[precision.Precision, float], expected: str
) -> None:
    assert fastest(seconds) == expected


def test_what_is_timed_takes_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    now, calls = 0.0, []

    def way(name: str, *costs: float) -> None:
        nonlocal now
        now += costs[min(calls.count(name), len(costs) - 1)]
        calls.append(name)

    monkeypatch.setattr(precision, "perf_counter", lambda: now)
    found = shortest_seconds(
        {
            "fp32": lambda: way("fp32", 9.0, 0.5),  # another program ran during the first
            "int8": lambda: way("int8", 0.25),
        }
    )
    assert found == {"fp32": 0.5, "int8": 0.25}
    assert calls == ["fp32", "int8"] * 3  # no more rounds once a second is over


def test_emulated_bf16_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: False)
    with pytest.raises(ResourceError, match="this cpu has no bf16 instructions"):
        choose_training_dtype("bf16", CPU)


@pytest.mark.parametrize(("avx", "amx"), [(True, False), (False, True), (False, False)])
def test_a_cpu_is_asked_for_its_instructions(
    monkeypatch: pytest.MonkeyPatch, avx: bool, amx: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(precision, "cpu_flags", lambda: ())
    assert has_bf16(CPU) is (avx or amx)


def test_an_arm_cpu_is_asked_by_its_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False)
    monkeypatch.setattr(precision, "cpu_flags", lambda: ("asimddp", "bf16"))
    assert has_bf16(CPU)


def test_the_rate_of_a_cpu_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: True)
    monkeypatch.setattr(precision, "_TOKENS", 64)
    linear = torch.nn.functional.linear
    taken: list[torch.dtype] = []

    def noted(states: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        taken.append(states.dtype)
        return linear(states, weight) if states.dtype is torch.float32 else states

    precision._product_seconds.cache_clear()
    monkeypatch.setattr(torch.nn.functional, "linear", noted)
    try:
        assert is_bf16_faster(CPU)
        assert set(taken) == {torch.float32, torch.bfloat16}
    finally:
        precision._product_seconds.cache_clear()


def test_mps_is_not_taken_for_fast() -> None:
    assert not is_bf16_faster(torch.device("mps"))
