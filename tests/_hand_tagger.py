"""A token classifier whose labels are known: each token's label is written into its embedding."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from distilcli.checkpoint.config import ModelConfig
from distilcli.model.heads import TokenClassifier
from distilcli.model.saving import save_model

LABELS = ("O", "B-ART", "I-ART", "B-DEV", "I-DEV")
OF_TOKENS = {
    "film": "B-ART",
    "movie": "I-ART",
    "book": "B-ART",
    "camera": "B-DEV",
    "battery": "I-DEV",
    "un": "B-ART",
    "##like": "B-DEV",
    "##s": "B-DEV",
}


def write_hand_tagger(
    folder: Path,
    vocab: Sequence[str],
    *,
    labels: Sequence[str] = LABELS,
    of_tokens: Mapping[str, str] = OF_TOKENS,
    max_length: int = 64,
) -> None:
    """Write a model that gives each token the label that `of_tokens` says, else the first."""
    config = ModelConfig(
        vocab_size=len(vocab),
        max_position_embeddings=max_length,
        dim=16,
        n_layers=1,
        n_heads=2,
        hidden_dim=8,
        labels=tuple(labels),
    )
    model = TokenClassifier(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "LayerNorm" not in name and "layer_norm" not in name:
                weight.zero_()
        for number, token in enumerate(vocab):
            label = labels.index(of_tokens.get(token, labels[0]))
            model.distilbert.embeddings.word_embeddings.weight[number, label] = 1
        model.classifier.weight.copy_(torch.eye(len(labels), config.dim))
    (folder / "vocab.txt").write_text("\n".join(vocab) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"do_lower_case": True, "model_max_length": max_length})
    )
    save_model(model, folder, tokenizer_files=[])
