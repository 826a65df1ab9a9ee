"""The encoder of DistilBERT and BERT: embeddings, then post-norm transformer blocks.

What is here: word, position and (BERT) token-type embeddings; multi-head self-attention; the
feed-forward network; the block that joins them, `LayerNorm(x + sublayer(x))`; the stack. What
is not here: task heads (`heads.py`), weights in and out (`reading.py`, `loading.py`, `saving.py`),
padding and batching (`engine/`).

Attribute names are the keys of a DistilBERT checkpoint, so its state dict loads as it is.
Shapes: B rows, T tokens, D = dim, H heads, F = hidden_dim.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from distilcli.checkpoint.config import ModelConfig
from distilcli.errors import ModelError


def _gelu_tanh(x: Tensor) -> Tensor:
    return F.gelu(x, approximate="tanh")


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_new": _gelu_tanh,
    "gelu_pytorch_tanh": _gelu_tanh,
    "relu": F.relu,
    "silu": F.silu,
    "swish": F.silu,
}


def activation(name: str) -> Callable[[Tensor], Tensor]:
    """Return the function that config.json calls `name`; raise `ModelError` if it is not known."""
    try:
        return ACTIVATIONS[name]
    except KeyError:
        known = ", ".join(ACTIVATIONS)
        raise ModelError(f"the activation {name!r} is not known; known are {known}") from None


def sinusoidal_positions(n_positions: int, dim: int) -> Tensor:
    """Return the fixed position table (n_positions, dim): sines in even columns, cosines in odd.

    The angle of position p in column pair i is p / 10000^(2i/dim) (Vaswani et al. 2017, 3.5).
    """
    position = torch.arange(n_positions, dtype=torch.float64)[:, None]
    column = torch.arange(dim, dtype=torch.float64)[None, :]
    angle = position / 10_000.0 ** (2 * (column // 2) / dim)
    table = torch.empty(n_positions, dim, dtype=torch.float64)
    table[:, 0::2] = angle[:, 0::2].sin()
    table[:, 1::2] = angle[:, 1::2].cos()
    return table.float()


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
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, input_ids: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Embed (B, T) ids into (B, T, D); absent token types count as 0."""
        x = self.word_embeddings(input_ids) + self.position_embeddings.weight[: input_ids.size(1)]
        if self.token_type_embeddings is not None:
            if token_type_ids is None:
                x = x + self.token_type_embeddings.weight[0]
            else:
                x = x + self.token_type_embeddings(token_type_ids)
        normalised: Tensor = self.dropout(self.LayerNorm(x))
        return normalised


class SelfAttention(nn.Module):
    """Multi-head scaled dot-product self-attention."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.n_heads = config.n_heads
        self.head_dim = config.dim // config.n_heads
        self.dropout_p = config.attention_dropout
        self.q_lin = nn.Linear(config.dim, config.dim)
        self.k_lin = nn.Linear(config.dim, config.dim)
        self.v_lin = nn.Linear(config.dim, config.dim)
        self.out_lin = nn.Linear(config.dim, config.dim)

    def forward(self, asking: Tensor, x: Tensor, mask_bias: Tensor | None) -> Tensor:
        """Let the tokens `asking` (B, Q, D) attend to all tokens `x` (B, T, D) of their rows.

        `mask_bias` (B, 1, 1, T) is added to the scores. Returns (B, Q, D).
        """
        context = F.scaled_dot_product_attention(
            self._heads(self.q_lin(asking)),
            self._heads(self.k_lin(x)),
            self._heads(self.v_lin(x)),
            attn_mask=mask_bias,
            dropout_p=self.dropout_p if self.training else 0.0,
        )  # (B, H, Q, D/H)
        out: Tensor = self.out_lin(context.transpose(1, 2).flatten(2))
        return out

    def _heads(self, x: Tensor) -> Tensor:
        """Split (B, T, D) into (B, H, T, D/H)."""
        return torch.unflatten(x, 2, (self.n_heads, self.head_dim)).transpose(1, 2)


class FeedForward(nn.Module):
    """Two linear maps with an activation between, applied to each token alone."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.chunk_size = config.chunk_size_feed_forward
        self.activation = activation(config.activation)
        self.lin1 = nn.Linear(config.dim, config.hidden_dim)
        self.lin2 = nn.Linear(config.hidden_dim, config.dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T, D) to (B, T, D); in chunks of tokens where the config asks for it.

        Chunks bound the (B, T, F) intermediate: the result is the same, for less memory.
        """
        if self.chunk_size:
            parts = torch.split(x, self.chunk_size, dim=1)
            return torch.cat([self._chunk(part) for part in parts], dim=1)
        return self._chunk(x)

    def _chunk(self, x: Tensor) -> Tensor:
        out: Tensor = self.dropout(self.lin2(self.activation(self.lin1(x))))
        return out


class Block(nn.Module):
    """One layer: attention, then feed-forward, each added to its input and normalised after."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config)
        # BERT drops out the attention's output before it is added; DistilBERT does not.
        self.attention_dropout = nn.Dropout(config.dropout if config.model_type == "bert" else 0.0)
        self.sa_layer_norm = nn.LayerNorm(config.dim, eps=config.layer_norm_eps)
        self.ffn = FeedForward(config)
        self.output_layer_norm = nn.LayerNorm(config.dim, eps=config.layer_norm_eps)

    def forward(
        self, x: Tensor, mask_bias: Tensor | None, first_token_only: bool = False
    ) -> Tensor:
        """Map (B, T, D) to (B, T, D), or to (B, 1, D) where only the first token is wanted."""
        asking = x[:, :1] if first_token_only else x
        attended = self.attention_dropout(self.attention(asking, x, mask_bias))
        asking = self.sa_layer_norm(asking + attended)
        out: Tensor = self.output_layer_norm(asking + self.ffn(asking))
        return out


class Transformer(nn.Module):
    """The stack of blocks; `gradient_checkpointing` trades a second forward pass for memory."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.gradient_checkpointing = False

    def forward(self, x: Tensor, mask_bias: Tensor | None, *, first_token_only: bool) -> Tensor:
        """Map (B, T, D) through every block, the last one for the first token only if asked."""
        for depth, block in enumerate(self.layer, start=1):
            last_asks_one = first_token_only and depth == len(self.layer)
            if self.gradient_checkpointing and self.training:
                x = checkpoint(block, x, mask_bias, last_asks_one, use_reentrant=False)
            else:
                x = block(x, mask_bias, last_asks_one)
        return x


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

        `attention_mask` (B, T) is 1 for tokens and 0 for padding; None means no padding. Token
        types are dropped by a model that has none, because tokenizers send them all the same.
        With `first_token_only` the result is (B, 1, D) and the last block computes no more than
        that: of six layers' work it leaves out about a seventh.
        """
        x = self.embeddings(input_ids, token_type_ids)
        hidden_states: Tensor = self.transformer(
            x, _mask_bias(attention_mask, x.dtype), first_token_only=first_token_only
        )
        return hidden_states

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


def _mask_bias(attention_mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """Turn a (B, T) mask of ones and zeros into a (B, 1, 1, T) bias on attention scores.

    The bias of padding is the lowest finite number rather than minus infinity, so that a row of
    nothing but padding gives numbers and not NaN.
    """
    if attention_mask is None:
        return None
    bias = torch.zeros(attention_mask.shape, dtype=dtype, device=attention_mask.device)
    bias.masked_fill_(attention_mask == 0, torch.finfo(dtype).min)
    return bias[:, None, None, :]
