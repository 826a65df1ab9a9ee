import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from distilcli.errors import ModelError
from distilcli.model.int8_storage import pack, unpack


@st.composite
def matrices(draw: st.DrawFn) -> Tensor:
    rows, columns = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    number = st.floats(-1e4, 1e4, width=32).filter(lambda x: x == 0 or abs(x) > 1e-20)
    values = draw(st.lists(number, min_size=rows * columns, max_size=rows * columns))
    return torch.tensor(values, dtype=torch.float32).view(rows, columns)


@given(matrices())
def test_a_weight_is_off_by_half_a_step_of_its_row_at_most(weight: Tensor) -> None:
    found = unpack(pack({"x.weight": weight}))["x.weight"]
    assert found.dtype is torch.float32
    bound = weight.abs().amax(dim=1, keepdim=True) / 254
    assert ((found - weight).abs() <= bound * (1 + 1e-4)).all()
    assert not found[weight == 0].any()


@given(matrices())
def test_the_bytes_are_a_quarter(weight: Tensor) -> None:
    packed = pack({"x.weight": weight})
    assert packed["x.weight"].dtype is torch.int8
    assert packed["x.weight_scale"].shape == weight.shape[:1]
    assert packed["x.weight"].abs().max() <= 127


def test_packing_what_was_unpacked_changes_nothing() -> None:
    weight = torch.randn(6, 9, generator=torch.Generator().manual_seed(0))
    once = unpack(pack({"x.weight": weight}))
    torch.testing.assert_close(unpack(pack(once))["x.weight"], once["x.weight"], atol=1e-6, rtol=0)


def test_rows_of_zeros_stay_zero() -> None:
    weight = torch.tensor([[0.0, 0.0], [1.0, -1.0]])
    assert torch.equal(unpack(pack({"x.weight": weight}))["x.weight"], weight)


def test_vectors_and_names_like_scales_are_left_alone() -> None:
    weights = {"x.bias": torch.tensor([1.5, 2.5]), "logit_scale": torch.tensor([3.0])}
    packed = pack(weights)
    assert packed.keys() == weights.keys()
    assert all(torch.equal(unpack(packed)[name], weights[name]) for name in weights)


def test_scales_of_floats_are_refused() -> None:
    weights = {"x.weight": torch.ones(2, 3), "x.weight_scale": torch.ones(2)}
    with pytest.raises(ModelError, match=r"x.weight is float32 \(2, 3\) with scales \(2,\)"):
        unpack(weights)
