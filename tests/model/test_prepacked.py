import pytest
import torch
from torch import nn

from distilcli.model import prepacked
from distilcli.model.prepacked import PackedLinear, can_pack


@pytest.fixture(autouse=True)
def fresh() -> None:
    can_pack.cache_clear()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("tokens", [1, 7, 300])
def test_it_computes_what_linear_computes(dtype: torch.dtype, gelu: bool, tokens: int) -> None:
    if not can_pack(dtype):
        pytest.skip("this torch has no such operators")
    torch.manual_seed(0)
    plain = nn.Linear(48, 24).to(dtype)
    x = torch.randn(2, tokens, 48).to(dtype)
    with torch.inference_mode():
        wanted = plain(x)
        wanted = nn.functional.gelu(wanted) if gelu else wanted
        found = PackedLinear(plain, gelu=gelu)(x)
    tolerance = {torch.float32: 1e-5, torch.bfloat16: 2e-2}[dtype]
    torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("error", [AttributeError, RuntimeError, TypeError])
def test_operators_that_are_missing_are_not_used(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    class Without:
        def __getattr__(self, name: str) -> None:
            raise error(name)

    monkeypatch.setattr(prepacked, "_OPERATORS", Without())
    assert not can_pack(torch.float32)


def test_operators_that_compute_something_else_are_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Wrong:
        def _reorder_linear_weight(self, weight: torch.Tensor) -> torch.Tensor:
            return weight

        def _linear_pointwise(self, x: torch.Tensor, *_: object) -> torch.Tensor:
            return x * 2

    monkeypatch.setattr(prepacked, "_OPERATORS", Wrong())
    assert not can_pack(torch.float32)
