from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from distilcli.checkpoint.folder import describe_folder
from distilcli.model.averaging import append_averaging_block
from distilcli.model.heads import BaseModel
from distilcli.model.loading import load_model

Make = Callable[..., Path]


@pytest.mark.parametrize("model_type", ["distilbert", "bert"])
def test_the_first_token_becomes_the_mean_of_all(make_model: Make, model_type: str) -> None:
    folder = make_model(head="BaseModel", model_type=model_type)
    model = load_model(describe_folder("m", folder), BaseModel).model
    ids = torch.tensor([[2, 9, 12, 7, 3], [2, 8, 3, 0, 0]])
    mask = (ids != 0).long()
    with torch.no_grad():
        before = model(ids, mask)
        append_averaging_block(model)
        after = model.distilbert(ids, mask, first_token_only=True)[:, 0]
    assert model.config.n_layers == model.distilbert.config.n_layers == 3
    means = (before * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
    expected = F.layer_norm(16 * means + before[:, 0], (32,))
    torch.testing.assert_close(after, expected, rtol=1e-4, atol=1e-5)
    # Nearly the mean alone: the token's own vector hardly counts.
    near = F.cosine_similarity(after, F.layer_norm(means, (32,)))
    assert near.min() > 0.95
