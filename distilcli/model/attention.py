"""Self-attention: every token attends to all tokens of its row, in several heads side by side.

Shapes: B rows, Q querying tokens, T tokens, D = dim, H heads of the layer, S = head_dim.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distilcli.checkpoint.config import ModelConfig
from distilcli.model.dropout import Dropout


class SelfAttention(nn.Module):
    """Multi-head scaled dot-product self-attention of one layer.

    `heads` are the indices of its heads, as they were before any was pruned.
    """

    def __init__(self, config: ModelConfig, *, layer: int) -> None:
        super().__init__()
        self.heads = config.heads_of(layer)
        self.head_dim = config.dim // config.n_heads
        self.dropout = Dropout(config.attention_dropout)
        width = len(self.heads) * self.head_dim
        self.q_lin = nn.Linear(config.dim, width)
        self.k_lin = nn.Linear(config.dim, width)
        self.v_lin = nn.Linear(config.dim, width)
        self.out_lin = nn.Linear(width, config.dim)

    def forward(
        self, x: Tensor, mask_bias: Tensor | None = None, *, first_token_only: bool = False
    ) -> Tensor:
        """Map (B, T, D) to (B, T, D), or to (B, 1, D) with `first_token_only`.

        `mask_bias` (B, 1, 1, T) is added to the attention scores.
        """
        queries, keys, values = self.project(x[:, :1] if first_token_only else x, x)
        dropout_p = self.dropout.p if self.training else 0.0
        if x.device.type == "cpu" and (dropout_p or queries.dtype is torch.bfloat16):
            # On the CPU, torch has no fused attention with dropout, and in bf16 a slow one.
            context, _ = self.attend(queries, keys, values, mask_bias)
        else:
            context = F.scaled_dot_product_attention(
                queries, keys, values, attn_mask=mask_bias, dropout_p=dropout_p
            )
        return self.merge(context)

    def project(self, querying: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the queries (B, H, Q, S) of `querying` (B, Q, D), and keys and values of `x`."""
        queries, keys, values = self.q_lin(querying), self.k_lin(x), self.v_lin(x)
        return self.split_heads(queries), self.split_heads(keys), self.split_heads(values)

    def attend(
        self, queries: Tensor, keys: Tensor, values: Tensor, mask_bias: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return the context (B, H, Q, S) and the attention probabilities (B, H, Q, T).

        Dropout acts on the context only: the probabilities are those of the softmax.
        """
        scores = (queries / math.sqrt(self.head_dim)) @ keys.transpose(2, 3)
        if mask_bias is not None:
            scores = scores + mask_bias
        probabilities = scores.softmax(dim=3)
        return self.dropout(probabilities) @ values, probabilities

    def merge(self, context: Tensor) -> Tensor:
        """Map the heads' context (B, H, Q, S) to the output (B, Q, D)."""
        out: Tensor = self.out_lin(context.transpose(1, 2).flatten(2))
        return out

    def split_heads(self, x: Tensor) -> Tensor:
        """Split (B, T, H*S) into (B, H, T, S)."""
        return x.unflatten(2, (len(self.heads), self.head_dim)).transpose(1, 2)


def mask_bias_of(attention_mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """Turn a (B, T) mask of ones and zeros into a (B, 1, 1, T) bias on attention scores.

    Padding gets the lowest finite number rather than minus infinity, so that a row of nothing but
    padding gives numbers and not NaN.
    """
    if attention_mask is None:
        return None
    bias = torch.zeros(attention_mask.shape, dtype=dtype, device=attention_mask.device)
    bias.masked_fill_(attention_mask == 0, torch.finfo(dtype).min)
    return bias[:, None, None, :]
