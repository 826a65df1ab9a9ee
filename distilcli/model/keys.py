"""The names of weights: BERT's and DistilBERT's checkpoint keys, and this package's.

Modules here are named as a DistilBERT checkpoint with a head names them
(`distilbert.transformer.layer.0.attention.q_lin.weight`). Other spellings are translated: a bare
encoder without the `distilbert.` prefix, BERT's names, and the `gamma` and `beta` of checkpoints
converted from TensorFlow.
"""

import re

from distilcli.checkpoint.config import ModelType

PREFIX = "distilbert."
_BODY = ("embeddings.", "transformer.", "pooler.")

# BERT's name for a part of a block -> DistilBERT's
_BERT_BLOCK = {
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
}
_DISTILBERT_BLOCK = {ours: theirs for theirs, ours in _BERT_BLOCK.items()}
_BLOCK = re.compile(r"^(encoder|transformer)\.layer\.(\d+)\.(.+)\.(weight|bias)$")


def to_ours(key: str) -> str | None:
    """Translate a checkpoint's key; None for a buffer that is no weight (`position_ids`)."""
    key = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", key)
    key = re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", key)
    key = re.sub(r"^(distilbert|bert)\.", "", key)
    if key == "embeddings.position_ids":
        return None
    block = _BLOCK.match(key)
    if block and block[1] == "encoder":
        part = _BERT_BLOCK.get(block[3], block[3])
        key = f"transformer.layer.{block[2]}.{part}.{block[4]}"
    return PREFIX + key if key.startswith(_BODY) else key


def to_checkpoint(key: str, model_type: ModelType) -> str:
    """Translate one of our keys into the checkpoint's for a model of `model_type`."""
    if model_type == "distilbert" or not key.startswith(PREFIX):
        return key
    key = key.removeprefix(PREFIX)
    block = _BLOCK.match(key)
    if block:
        key = f"encoder.layer.{block[2]}.{_DISTILBERT_BLOCK.get(block[3], block[3])}.{block[4]}"
    return f"bert.{key}"
