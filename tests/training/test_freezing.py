from typing import Any

import pytest
import torch

from distilcli.errors import UsageError
from distilcli.model.dropout import Dropout
from distilcli.model.heads import SequenceClassifier
from distilcli.training.freezing import freeze, set_dropout
from tests.model.test_encoder import TINY, TINY_BERT

EMBEDDINGS = "distilbert.embeddings."
LAYERS = tuple(f"distilbert.transformer.layer.{layer}." for layer in range(2))


@pytest.mark.parametrize("config", [TINY, TINY_BERT], ids=["distilbert", "bert"])
@pytest.mark.parametrize(
    ("what", "frozen"),
    [
        ("nothing", ()),
        ("embeddings", (f"{EMBEDDINGS}word_embeddings.",)),
        ("0", (EMBEDDINGS,)),
        ("1", (EMBEDDINGS, LAYERS[0])),
        ("2", (EMBEDDINGS, *LAYERS)),
        ("encoder", (EMBEDDINGS, *LAYERS)),
    ],
)
def test_what_is_frozen(config: Any, what: str, frozen: tuple[str, ...]) -> None:
    model = SequenceClassifier(config)
    freeze(model, what)
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad is not name.startswith(frozen or ("none",)), name


def test_more_layers_than_there_are_cannot_be_frozen() -> None:
    with pytest.raises(UsageError, match="`freeze` 3: the model has 2 layers"):
        freeze(SequenceClassifier(TINY), "3")


@pytest.mark.parametrize("config", [TINY, TINY_BERT], ids=["distilbert", "bert"])
def test_one_rate_of_dropout_everywhere(config: Any) -> None:
    model = SequenceClassifier(config)
    set_dropout(model, 0.0)
    places = [module for module in model.modules() if isinstance(module, Dropout)]
    # Embeddings, head; in each of two layers attention, what it gives, and the feed-forward.
    assert len(places) == 2 + 2 * 3
    ids = torch.tensor([[2, 7, 8, 3]])
    expected = model.eval()(ids)
    torch.testing.assert_close(model.train()(ids), expected, atol=1e-6, rtol=0)
    set_dropout(model, 0.9)
    assert not torch.allclose(model(ids), expected)
