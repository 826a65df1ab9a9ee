import pytest
import torch

from distilcli.compression.layers import parse_layers, without_layers
from distilcli.errors import UsageError
from distilcli.model.surgery import prune_heads
from tests.compression._models import built


def test_the_other_layers_and_the_head_stay() -> None:
    model = built()
    prune_heads(model, {2: (0,)})
    smaller = without_layers(model, (1,))
    assert smaller.config.n_layers == 2
    assert smaller.config.pruned_heads == {1: (0,)}
    assert torch.equal(smaller.classifier.weight, model.classifier.weight)
    for new, old in ((0, 0), (1, 2)):
        one = smaller.distilbert.transformer.blocks[new].state_dict()
        other = model.distilbert.transformer.blocks[old].state_dict()
        assert all(torch.equal(one[name], other[name]) for name in other)


def test_layers_in_any_order_and_twice() -> None:
    assert parse_layers("2,0,2", 4) == (0, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3", "layers 0 to 2"),
        ("0,1,2", "leaves no layer"),
        ("a", "numbers separated by commas"),
        ("1,", "numbers separated by commas"),
        ("-1", "numbers separated by commas"),
    ],
)
def test_layers_that_cannot_be_removed(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_layers(text, 3)
