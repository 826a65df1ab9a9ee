"""What changes the build of a model: a BERT folded into a DistilBERT."""

from dataclasses import replace

from torch import Tensor

from distilcli.checkpoint.config import ModelConfig
from distilcli.errors import ModelError
from distilcli.model.keys import PREFIX


def fold_token_types(
    config: ModelConfig, weights: dict[str, Tensor]
) -> tuple[ModelConfig, dict[str, Tensor]]:
    """Turn a BERT encoder into the DistilBERT that gives the same hidden states for one segment.

    Row 0 of the token-type table is added to every position; the pooler is dropped.
    """
    key = f"{PREFIX}embeddings.token_type_embeddings.weight"
    if key not in weights:
        raise ModelError("there are no token types to fold; the model is a DistilBERT already")
    if config.layer_norm_eps != ModelConfig().layer_norm_eps:
        raise ModelError(
            f"layer_norm_eps is {config.layer_norm_eps:g} where a DistilBERT has "
            f"{ModelConfig().layer_norm_eps:g}; the model cannot be folded into one"
        )
    folded = {
        name: weight for name, weight in weights.items() if name != key and ".pooler." not in name
    }
    positions = f"{PREFIX}embeddings.position_embeddings.weight"
    folded[positions] = weights[positions] + weights[key][0]
    shape = replace(
        config, model_type="distilbert", type_vocab_size=0, classifier_dropout=0.2, extra={}
    )
    return shape, folded
