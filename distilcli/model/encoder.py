"""The encoder of DistilBERT and BERT: embeddings, then post-norm transformer blocks.

Here are the feed-forward network, the block `LayerNorm(x + sublayer(x))` and the stack. Embeddings
and attention are in `embeddings.py` and `attention.py`, task heads in `heads.py`. Other ways to
compute the same are swapped in as modules: int8 (`int8.py`), packed weights (`prepacked.py`), rows
without padding (`varlen.py`), every layer's output (`capture.py`).

Attribute names are the keys of a DistilBERT checkpoint, so its state dict loads unchanged.
Shapes: B rows, T tokens, D = dim, F = hidden_dim.
"""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from distilcli.checkpoint.config import ModelConfig
from distilcli.model.activation import activation
from distilcli.model.attention import SelfAttention, mask_bias_of
from distilcli.model.dropout import Dropout
from distilcli.model.embeddings import Embeddings, sinusoidal_positions

T = TypeVar("T")


class FeedForward(nn.Module):
    """Two linear maps with an activation between, applied to each token alone."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.chunk_size = config.chunk_size_feed_forward
        self.activation = activation(config.activation)
        self.lin1 = nn.Linear(config.dim, config.hidden_dim)
        self.lin2 = nn.Linear(config.hidden_dim, config.dim)
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T, D) to (B, T, D), `chunk_size` tokens at a time if the config sets it.

        Chunks bound the (B, T, F) intermediate and change nothing else.
        """
        if self.chunk_size:
            chunks = x.split(self.chunk_size, dim=1)
            return torch.cat([self._chunk(chunk) for chunk in chunks], dim=1)
        return self._chunk(x)

    def _chunk(self, x: Tensor) -> Tensor:
        out: Tensor = self.dropout(self.lin2(self.activation(self.lin1(x))))
        return out


class Block(nn.Module):
    """One layer: attention, then feed-forward, each added to its input and normalised after."""

    def __init__(self, config: ModelConfig, *, layer: int) -> None:
        super().__init__()
        self.attention = SelfAttention(config, layer=layer)
        # BERT drops out the attention's output before it is added; DistilBERT does not.
        self.attention_dropout = Dropout(config.dropout if config.model_type == "bert" else 0.0)
        self.sa_layer_norm = nn.LayerNorm(config.dim, eps=config.layer_norm_eps)
        self.ffn = FeedForward(config)
        self.output_layer_norm = nn.LayerNorm(config.dim, eps=config.layer_norm_eps)

    def forward(
        self, x: Tensor, mask_bias: Tensor | None = None, first_token_only: bool = False
    ) -> Tensor:
        """Map (B, T, D) to (B, T, D), or to (B, 1, D) with `first_token_only`."""
        attended = self.attention(x, mask_bias, first_token_only=first_token_only)
        return self.after_attention(x[:, :1] if first_token_only else x, attended)

    def after_attention(self, x: Tensor, attended: Tensor) -> Tensor:
        """Finish the block for the tokens `x`, given what attention returned for them."""
        x = self.sa_layer_norm(x + self.attention_dropout(attended))
        out: Tensor = self.output_layer_norm(x + self.ffn(x))
        return out


class Transformer(nn.Module):
    """The stack of blocks; `gradient_checkpointing` trades a second forward pass for memory."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Block(config, layer=layer) for layer in range(config.n_layers))
        self.gradient_checkpointing = False

    def forward(
        self, x: Tensor, attention_mask: Tensor | None = None, *, first_token_only: bool = False
    ) -> Tensor:
        """Map (B, T, D) through every block, the last for the first token only if asked."""
        mask_bias, last = mask_bias_of(attention_mask, x.dtype), len(self.layer) - 1
        for depth, block in enumerate(self.layer):
            x = self.run(block, x, mask_bias, first_token_only and depth == last)
        return x

    def run(self, block: Callable[..., T], *inputs: Tensor | bool | None) -> T:
        """Call a block, with gradient checkpointing if that is on."""
        if self.gradient_checkpointing and self.training:
            out: T = checkpoint(block, *inputs, use_reentrant=False)
            return out
        return block(*inputs)


class Pooler(nn.Module):
    """BERT's summary of a row: the first token through a dense layer and tanh."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.dim, config.dim)

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Map (B, T, D) to (B, D)."""
        return torch.tanh(self.dense(hidden_states[:, 0]))


class Encoder(nn.Module):
    """Token ids to hidden states, for DistilBERT and (with token types and a pooler) for BERT."""

    def __init__(self, config: ModelConfig, *, pooler: bool = False) -> None:
        super().__init__()
        self.config = config
        self.embeddings = Embeddings(config)
        self.transformer = Transformer(config)
        self.pooler = Pooler(config) if pooler else None
        self.apply(self._init_weights)
        if config.sinusoidal_pos_embds:
            self._use_sinusoidal_positions()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        *,
        first_token_only: bool = False,
    ) -> Tensor:
        """Return the last hidden states (B, T, D) of (B, T) ids.

        `attention_mask` (B, T) is 1 for tokens and 0 for padding; None means no padding. A model
        without token types ignores them, because tokenizers send them all the same. With
        `first_token_only` the result is (B, 1, D), and the last block computes nothing else: about
        a seventh less work in a model of six layers.
        """
        x = self.embeddings(input_ids, token_type_ids)
        out: Tensor = self.transformer(x, attention_mask, first_token_only=first_token_only)
        return out

    def _init_weights(self, module: nn.Module) -> None:
        """Draw weights as BERT does: normal(0, initializer_range), zero biases."""
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)
            elif module.padding_idx is not None:
                nn.init.zeros_(module.weight[module.padding_idx].detach())

    def _use_sinusoidal_positions(self) -> None:
        positions = self.embeddings.position_embeddings
        table = sinusoidal_positions(positions.num_embeddings, positions.embedding_dim)
        positions.weight = nn.Parameter(table, requires_grad=False)
