"""Token ids to vectors: word, position and (BERT) token-type embeddings.

Shapes: B rows, T tokens, D = dim.
"""

import torch
from torch import Tensor, nn

from distilcli.checkpoint.config import ModelConfig
from distilcli.model.dropout import Dropout


def sinusoidal_positions(n_positions: int, dim: int) -> Tensor:
    """Return the fixed position table (n_positions, dim): sines in even columns, cosines in odd.

    The angle of position p in column pair i is p / 10000^(2i/dim) (Vaswani et al. 2017, 3.5).
    """
    position = torch.arange(n_positions, dtype=torch.float64)[:, None]
    column = torch.arange(dim, dtype=torch.float64)[None, :]
    angle = position / 10_000.0 ** (2 * (column // 2) / dim)
    return torch.where(column % 2 == 0, angle.sin(), angle.cos()).float()


class Embeddings(nn.Module):
    """Token ids to vectors: word + position (+ token type), normalised."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(
            config.vocab_size, config.dim, padding_idx=config.pad_token_id
        )
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, config.dim)
        self.token_type_embeddings = (
            nn.Embedding(config.type_vocab_size, config.dim) if config.type_vocab_size else None
        )
        self.LayerNorm = nn.LayerNorm(config.dim, eps=config.layer_norm_eps)
        self.dropout = Dropout(config.dropout)

    def forward(self, input_ids: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Embed (B, T) ids into (B, T, D); the default token type is 0."""
        x = self.word_embeddings(input_ids) + self.position_embeddings.weight[: input_ids.size(1)]
        if self.token_type_embeddings is not None:
            table = self.token_type_embeddings
            x = x + (table.weight[0] if token_type_ids is None else table(token_type_ids))
        normalised: Tensor = self.dropout(self.LayerNorm(x))
        return normalised
