"""The names of weights: BERT's and DistilBERT's checkpoint keys, and this package's.

Modules here are named as a DistilBERT checkpoint with a head names them
(`distilbert.transformer.layer.0.attention.q_lin.weight`). Other names are translated: a bare
encoder without the `distilbert.` prefix, BERT's names, and the `gamma` and `beta` of checkpoints
converted from TensorFlow.
"""

import re

from distilcli.checkpoint.config import ModelType
from distilcli.checkpoint.parameter_table import without_prefix

PREFIX = "distilbert."
OUTPUT_TABLE = "vocab_projector.weight"
"""The matrix from hidden states to words; if tied, a copy of the word embeddings."""
BERT_BIAS, BERT_UNTIED_BIAS = "cls.predictions.bias", "cls.predictions.decoder.bias"
"""The two names of the bias of BERT's words; if untied, `transformers` 5 uses the second."""
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
# BERT's name for a part of the masked language model's head -> DistilBERT's
_BERT_HEAD = {
    "cls.predictions.transform.dense.weight": "vocab_transform.weight",
    "cls.predictions.transform.dense.bias": "vocab_transform.bias",
    "cls.predictions.transform.LayerNorm.weight": "vocab_layer_norm.weight",
    "cls.predictions.transform.LayerNorm.bias": "vocab_layer_norm.bias",
    "cls.predictions.decoder.weight": OUTPUT_TABLE,
    BERT_UNTIED_BIAS: "vocab_projector.bias",
    BERT_BIAS: "vocab_projector.bias",
}
_DISTILBERT_HEAD = {ours: theirs for theirs, ours in _BERT_HEAD.items()}
_BLOCK = re.compile(r"^(encoder|transformer)\.layer\.(\d+)\.(.+)\.(weight|bias)$")


def to_ours(key: str) -> str | None:
    """Translate a checkpoint's key; None for `position_ids`, a buffer rather than a weight."""
    key = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", key)
    key = re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", key)
    key = without_prefix(key)
    if key == "embeddings.position_ids":
        return None
    block = _BLOCK.match(key)
    if block and block[1] == "encoder":
        part = _BERT_BLOCK.get(block[3], block[3])
        key = f"transformer.layer.{block[2]}.{part}.{block[4]}"
    key = _BERT_HEAD.get(key, key)
    return PREFIX + key if key.startswith(_BODY) else key


def to_checkpoint(key: str, model_type: ModelType) -> str:
    """Translate one of our keys into the checkpoint's for a model of `model_type`."""
    if model_type == "distilbert":
        return key
    if not key.startswith(PREFIX):
        return _DISTILBERT_HEAD.get(key, key)
    key = key.removeprefix(PREFIX)
    block = _BLOCK.match(key)
    if block:
        key = f"encoder.layer.{block[2]}.{_DISTILBERT_BLOCK.get(block[3], block[3])}.{block[4]}"
    return f"bert.{key}"
