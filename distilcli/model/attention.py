"""Self-attention: every token asks all tokens of its row, in several heads side by side.

Shapes: B rows, Q asking tokens, T tokens, D = dim, H heads of a layer, S = D / heads unpruned.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distilcli.checkpoint.config import ModelConfig
from distilcli.model.dropout import Dropout
from distilcli.model.varlen import VariableLengths


class SelfAttention(nn.Module):
    """Multi-head scaled dot-product self-attention of one layer.

    `heads` are the heads that it has, by their numbers before any were pruned.
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
        self,
        asking: Tensor,
        x: Tensor,
        mask_bias: Tensor | VariableLengths | None,
        head_mask: Tensor | None = None,
    ) -> Tensor:
        """Let the tokens `asking` (B, Q, D) attend to all tokens `x` (B, T, D) of their rows.

        `mask_bias` (B, 1, 1, T) is added to the scores, or says where rows that are set end to
        end have their tokens: then B is 1, and Q is T or the number of rows. `head_mask`, one
        number for each of the layer's heads before pruning, is a factor on their probabilities.
        Returns (B, Q, D).
        """
        dropout_p = self.dropout.p if self.training else 0.0
        queries, keys, values = self._project(asking, x)
        if isinstance(mask_bias, VariableLengths):
            return self._attend_ragged(mask_bias, queries, keys, values, head_mask)
        if queries.device.type == "cpu" and (dropout_p or queries.dtype is torch.bfloat16):
            # torch has no fused attention with dropout here, its own dropout is slow, and so is
            # its fused attention in bf16.
            return self._attend(queries, keys, values, mask_bias, head_mask)[0]
        context = F.scaled_dot_product_attention(
            self._split(queries),
            self._split(keys),
            self._split(values),
            attn_mask=mask_bias,
            dropout_p=dropout_p,
        )  # (B, H, Q, S)
        if head_mask is not None:
            # A factor on a head's probabilities is the same factor on their weighted sum.
            context = context * self._factors(head_mask)
        return self._join(context)

    def _attend_ragged(
        self,
        rows: VariableLengths,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        head_mask: Tensor | None,
    ) -> Tensor:
        shape = (len(self.heads), self.head_dim)
        context = rows.attend(*(torch.unflatten(x, 2, shape) for x in (queries, keys, values)))
        if head_mask is not None:
            context = context * head_mask[list(self.heads), None]
        return self._output(context.flatten(2))

    def with_probabilities(
        self, asking: Tensor, x: Tensor, mask_bias: Tensor | None, head_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the output (B, Q, D) as `forward` does, and the probabilities (B, H, Q, T).

        They are what is meant for the values, after softmax and `head_mask`; what multiplies the
        values in training is what dropout leaves of them.
        """
        return self._attend(*self._project(asking, x), mask_bias, head_mask)

    def _attend(
        self,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        mask_bias: Tensor | None,
        head_mask: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        queries = self._split(queries / math.sqrt(self.head_dim))
        scores = queries @ self._split(keys).transpose(2, 3)
        if mask_bias is not None:
            scores = scores + mask_bias
        probabilities = scores.softmax(dim=3)
        if head_mask is not None:
            probabilities = probabilities * self._factors(head_mask)
        context = self.dropout(probabilities) @ self._split(values)
        return self._join(context), probabilities

    def _project(self, asking: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the queries (B, Q, H*S) of the asking tokens, keys and values (B, T, H*S)."""
        return self.q_lin(asking), self.k_lin(x), self.v_lin(x)

    def _output(self, context: Tensor) -> Tensor:
        """Map what the heads found (B, Q, H*S) to (B, Q, D)."""
        out: Tensor = self.out_lin(context)
        return out

    def _factors(self, head_mask: Tensor) -> Tensor:
        """Pick the factors of the heads that are here, as (H, 1, 1)."""
        return head_mask[list(self.heads), None, None]

    def _split(self, x: Tensor) -> Tensor:
        """Split (B, T, H*S) into (B, H, T, S)."""
        return torch.unflatten(x, 2, (len(self.heads), self.head_dim)).transpose(1, 2)

    def _join(self, context: Tensor) -> Tensor:
        """Map (B, H, Q, S) to (B, Q, D)."""
        return self._output(context.transpose(1, 2).flatten(2))


def mask_bias_of(attention_mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """Turn a (B, T) mask of ones and zeros into a (B, 1, 1, T) bias on attention scores.

    The bias of padding is the lowest finite number rather than minus infinity, so that a row of
    nothing but padding gives numbers and not NaN.
    """
    if attention_mask is None:
        return None
    bias = torch.zeros(attention_mask.shape, dtype=dtype, device=attention_mask.device)
    bias.masked_fill_(attention_mask == 0, torch.finfo(dtype).min)
    return bias[:, None, None, :]
