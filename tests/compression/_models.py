"""A tiny model and sequences for it."""

from typing import Any

import torch

from distilcli.checkpoint.config import ModelConfig
from distilcli.engine.batching import Piece
from distilcli.model.heads import SequenceClassifier

TINY = ModelConfig(
    vocab_size=60,
    max_position_embeddings=16,
    dim=16,
    n_layers=3,
    n_heads=4,
    hidden_dim=32,
    initializer_range=0.3,
    labels=("a", "b"),
)


def built(kind: Any = SequenceClassifier, config: ModelConfig = TINY) -> Any:
    torch.manual_seed(0)
    return kind(config).eval()


def pieces(count: int = 12) -> list[Piece]:
    draw = torch.Generator().manual_seed(1)
    lengths = torch.randint(3, 12, (count,), generator=draw).tolist()
    return [Piece(torch.randint(1, 60, (n,), generator=draw).tolist()) for n in lengths]
