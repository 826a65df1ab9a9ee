import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distilcli.compression.attention_heads import (
    largest_agreeing,
    least_important,
    most_heads,
    parse_count,
)
from distilcli.compression.importance import Importance
from distilcli.errors import UsageError
from distilcli.model.surgery import prune_heads
from tests.compression._models import built

SCORES = [
    torch.tensor([4.0, 1.0, 3.0, 2.0]),
    torch.tensor([0.4, 0.1, 0.3, 0.2]),
    torch.tensor([9.0, 9.0, 0.0, 9.0]),
]


@given(st.integers(0, 9))
def test_one_head_stays_in_every_layer(count: int) -> None:
    model = built()
    heads = least_important(model, Importance(SCORES, []), count)
    assert sum(map(len, heads.values())) == count
    assert all(len(gone) < 4 for gone in heads.values())
    prune_heads(model, heads)


def test_layers_are_compared_by_their_norms() -> None:
    model = built()
    assert least_important(model, Importance(SCORES, []), 1) == {2: (2,)}
    # 1.0 and 0.1 weigh the same within their layers.
    assert least_important(model, Importance(SCORES, []), 3) == {2: (2,), 0: (1,), 1: (1,)}


def test_heads_keep_their_first_indices_after_pruning() -> None:
    model = built()
    prune_heads(model, {0: (1,), 1: (0,)})
    scores = [torch.tensor([3.0, 1.0, 2.0])] * 2 + [SCORES[0]]
    found = least_important(model, Importance(scores, []), 3)
    assert found == {2: (1,), 0: (2,), 1: (2,)}
    assert most_heads(model) == 7


@pytest.mark.parametrize("text", ["0", "x", "-1", "1.5", "10", ""])
def test_a_number_that_cannot_be(text: str) -> None:
    with pytest.raises(UsageError, match="`prune_heads`"):
        parse_count(text, built())


@given(st.integers(0, 40), st.integers(0, 40))
def test_the_largest_number_that_agrees(most: int, limit: int) -> None:
    assert largest_agreeing(most, lambda count: count <= limit) == min(most, limit)
