import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from distilcli.model.dropout import Dropout, dropout

MANY = 400_001  # odd: the last draw serves fewer elements


@pytest.mark.parametrize("p", [0.001, 0.1, 0.25, 0.5, 0.9])
def test_the_share_that_is_dropped_is_the_rate_and_the_mean_stays(p: float) -> None:
    torch.manual_seed(0)
    found = dropout(torch.ones(MANY), p)
    # Five standard errors of a share, and what rounding to 16 bits may add.
    slack = 5 * math.sqrt(p * (1 - p) / MANY) + 2**-17
    assert abs((found == 0).float().mean().item() - p) < slack
    assert abs(found.double().mean().item() - 1) < slack / (1 - p)
    assert found.unique().numel() == 2


@pytest.mark.parametrize("place", range(4))
def test_each_place_of_a_draw_is_dropped_alike_and_alone(place: int) -> None:
    torch.manual_seed(0)
    gone = (dropout(torch.ones(100_000, 4), 0.3) == 0).float()
    assert gone[:, place].mean().item() == pytest.approx(0.3, abs=0.01)
    both = (gone * gone.roll(1, dims=1))[:, place].mean().item()
    assert both == pytest.approx(0.09, abs=0.01)


def test_nothing_is_dropped_at_0_and_everything_at_1() -> None:
    x = torch.randn(5, 7)
    assert torch.equal(dropout(x, 0.0), x)
    assert torch.equal(dropout(x, 1.0), torch.zeros(5, 7))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=4), st.sampled_from([0.0, 0.3, 0.999, 1.0]))
def test_any_shape_keeps_its_shape(shape: list[int], p: float) -> None:
    found = dropout(torch.ones(shape), p)
    assert found.shape == torch.Size(shape)
    scale = 0.0 if p == 1 else 65_536 / (65_536 - round(p * 65_536))
    assert all(value == 0 or value == pytest.approx(scale) for value in found.flatten().tolist())


def test_elements_are_dropped_by_their_place_not_by_how_they_lie_in_memory() -> None:
    x = torch.arange(1.0, 13.0).reshape(3, 4)
    torch.manual_seed(3)
    expected = dropout(x, 0.5)
    torch.manual_seed(3)
    assert torch.equal(dropout(x.t().contiguous().t(), 0.5), expected)


def test_the_same_state_drops_the_same_and_moves_on() -> None:
    x = torch.ones(1_000)
    torch.manual_seed(7)
    state = torch.get_rng_state()
    first, second = dropout(x, 0.4), dropout(x, 0.4)
    assert not torch.equal(first, second)
    torch.set_rng_state(state)
    assert torch.equal(dropout(x, 0.4), first)
    assert torch.equal(dropout(x, 0.4), second)


def test_gradients_flow_through_what_was_kept_alone() -> None:
    torch.manual_seed(0)
    x = torch.randn(1_000, requires_grad=True)
    found = dropout(x, 0.25)
    found.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad == 0, found == 0)
    assert x.grad[found != 0].unique().tolist() == [pytest.approx(4 / 3)]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_the_kind_of_number_stays(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    found = dropout(torch.ones(MANY, dtype=dtype), 0.1)
    assert found.dtype is dtype
    assert (found == 0).float().mean().item() == pytest.approx(0.1, abs=0.003)
    rounding = float(torch.finfo(dtype).eps)
    assert found.max().item() == pytest.approx(1 / 0.9, rel=rounding + 2e-5)


def test_only_a_module_in_training_drops() -> None:
    module, x = Dropout(0.5), torch.ones(100)
    torch.manual_seed(0)
    assert (module(x) == 0).any()
    module.eval()
    assert module(x) is x
    assert Dropout(0.0)(x) is x
    assert repr(module) == "Dropout(p=0.5)"


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_as_much_is_dropped_as_torch_drops(p: float) -> None:
    torch.manual_seed(0)
    x = torch.randn(200_000)
    ours, theirs = dropout(x, p), torch.nn.functional.dropout(x, p)
    for power in (1, 2):
        expected = (theirs**power).mean().item()
        assert (ours**power).mean().item() == pytest.approx(expected, abs=0.03)
