import pytest
import torch

from distilcli.compression.importance import Importance
from distilcli.compression.neurons import remove_neurons, weight_norms
from distilcli.errors import UsageError
from tests.compression._models import built

IDS = torch.tensor([[1, 2, 3, 4]])


@torch.no_grad()
def test_neurons_without_weights_go_first() -> None:
    model = built()
    for block in model.distilbert.transformer.blocks:
        block.ffn.lin2.weight[:, ::4] = 0
    before = model(IDS)
    remove_neurons(model, 0.25, None)
    assert model.config.hidden_dim == 24
    torch.testing.assert_close(model(IDS), before, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_importance_decides_if_it_is_known() -> None:
    model = built()
    kept = [block.ffn.lin1.weight[16:].clone() for block in model.distilbert.transformer.blocks]
    scores = torch.arange(32).float()
    remove_neurons(model, 0.5, Importance([], [scores] * 3))
    for block, weight in zip(model.distilbert.transformer.blocks, kept, strict=True):
        assert torch.equal(block.ffn.lin1.weight, weight)


@pytest.mark.parametrize("share", [0.001, 0.999])
def test_a_share_that_rounds_to_all_or_nothing(share: float) -> None:
    with pytest.raises(UsageError, match="of 32 neurons"):
        remove_neurons(built(), share, None)


def test_the_norm_is_of_both_directions() -> None:
    ffn = built().distilbert.transformer.blocks[0].ffn
    before = weight_norms(ffn)
    with torch.no_grad():
        ffn.lin1.weight[3] *= 2
        ffn.lin2.weight[:, 3] *= 5
    after = weight_norms(ffn)
    assert after[3] == pytest.approx(float(before[3]) * 10, rel=1e-5)
    assert torch.equal(after[4:], before[4:])
