import pytest
import torch

from distilcli.compression.positions import remove_positions
from distilcli.errors import UsageError
from tests.compression._models import built


def test_short_texts_get_the_same_output() -> None:
    model, ids = built(), torch.tensor([[1, 2, 3, 4, 5, 6, 7, 8]])
    before = model(ids)
    remove_positions(model, 8)
    assert torch.equal(model(ids), before)
    assert model.config.max_position_embeddings == 8


@pytest.mark.parametrize("n_positions", [7, 16, 17])
def test_too_few_or_not_fewer(n_positions: int) -> None:
    with pytest.raises(UsageError, match="from 8 to 15"):
        remove_positions(built(), n_positions)
