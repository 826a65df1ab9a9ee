import pytest
import torch

from distilcli.errors import ResourceError
from distilcli.model import precision
from distilcli.model.precision import choose_training_dtype, has_fast_bf16

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("asked", "capable", "dtype"),
    [
        ("auto", True, torch.bfloat16),
        ("auto", False, torch.float32),
        ("fp32", True, torch.float32),
        ("fp32", False, torch.float32),
        ("bf16", True, torch.bfloat16),
    ],
)
def test_auto_takes_bf16_where_the_hardware_has_it(
    monkeypatch: pytest.MonkeyPatch, asked: precision.Precision, capable: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(precision, "has_fast_bf16", lambda device: capable)
    assert choose_training_dtype(asked, CPU) is dtype


def test_emulated_bf16_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_fast_bf16", lambda device: False)
    with pytest.raises(ResourceError, match="this cpu has no bf16 instructions"):
        choose_training_dtype("bf16", CPU)


@pytest.mark.parametrize(("avx", "amx"), [(True, False), (False, True), (False, False)])
def test_a_cpu_is_asked_for_its_instructions(
    monkeypatch: pytest.MonkeyPatch, avx: bool, amx: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert has_fast_bf16(CPU) is (avx or amx)


def test_mps_is_not_taken_for_fast() -> None:
    assert not has_fast_bf16(torch.device("mps"))
