"""The encoder of DistilBERT and BERT: embeddings, then post-norm transformer blocks.

What is here: the feed-forward network; the block that joins it with attention, `LayerNorm(x +
sublayer(x))`; the stack. What is not here: embeddings and attention (`embeddings.py`,
`attention.py`), task heads (`heads.py`), weights in and out (`reading.py`, `loading.py`,
`saving.py`), padding and batching (`engine/`).

Attribute names are the keys of a DistilBERT checkpoint, so its state dict loads as it is.
Shapes: B rows, T tokens, D = dim, H heads, F = hidden_dim.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from distilcli.checkpoint.config import ModelConfig
from distilcli.errors import ModelError, UsageError
from distilcli.model.attention import SelfAttention, mask_bias_of
from distilcli.model.dropout import Dropout
from distilcli.model.embeddings import Embeddings, sinusoidal_positions
from distilcli.model.varlen import VariableLengths


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

    def __init__(self, config: ModelConfig, *, layer: int) -> None:
        super().__init__()
        self.attention = SelfAttention(config, layer=layer)
        # BERT drops out the attention's output before it is added; DistilBERT does not.
        self.attention_dropout = Dropout(config.dropout if config.model_type == "bert" else 0.0)
        self.sa_layer_norm = nn.LayerNorm(config.dim, eps=config.layer_norm_eps)
        self.ffn = FeedForward(config)
        self.output_layer_norm = nn.LayerNorm(config.dim, eps=config.layer_norm_eps)

    def forward(
        self,
        x: Tensor,
        mask_bias: Tensor | VariableLengths | None,
        head_mask: Tensor | None,
        first_token_only: bool = False,
    ) -> Tensor:
        """Map (B, T, D) to (B, T, D), or to (B, 1, D) where only the first token is wanted.

        Rows set end to end map from (1, N, D) to (1, N, D), or to (1, number of rows, D).
        """
        asking = x
        if first_token_only:
            asking = mask_bias.firsts(x) if isinstance(mask_bias, VariableLengths) else x[:, :1]
        return self._after(asking, self.attention(asking, x, mask_bias, head_mask))

    def with_probabilities(
        self, x: Tensor, mask_bias: Tensor | None, head_mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Map (B, T, D) to (B, T, D); return the attention probabilities (B, H, T, T) as well."""
        attended, probabilities = self.attention.with_probabilities(x, x, mask_bias, head_mask)
        return self._after(x, attended), probabilities

    def _after(self, x: Tensor, attended: Tensor) -> Tensor:
        """Add what attention found to its input, and what the feed-forward network makes of it."""
        x = self.sa_layer_norm(x + self.attention_dropout(attended))
        out: Tensor = self.output_layer_norm(x + self.ffn(x))
        return out


@dataclass(frozen=True, slots=True)
class EncoderOutput:
    """What every layer gave.

    `hidden_states` are n_layers + 1 tensors (B, T, D), the embeddings first; `attentions` are
    n_layers tensors (B, H, T, T) of probabilities, rows of the asking tokens, or None where they
    were not asked for. A layer with pruned heads has fewer H.
    """

    hidden_states: tuple[Tensor, ...]
    attentions: tuple[Tensor, ...] | None


class Transformer(nn.Module):
    """The stack of blocks; `gradient_checkpointing` trades a second forward pass for memory."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Block(config, layer=layer) for layer in range(config.n_layers))
        self.gradient_checkpointing = False
        self._watcher: Callable[[EncoderOutput], None] | None = None
        self._watches_attentions = False

    def watch(
        self, watcher: Callable[[EncoderOutput], None] | None, *, attentions: bool = False
    ) -> None:
        """Give `watcher` what every layer gives, each time that the stack is called."""
        self._watcher, self._watches_attentions = watcher, attentions

    def forward(
        self,
        x: Tensor,
        mask_bias: Tensor | VariableLengths | None,
        head_masks: Sequence[Tensor | None],
        *,
        first_token_only: bool,
    ) -> Tensor:
        """Map (B, T, D) through every block, the last one for the first token only if asked.

        `head_masks` has the factors of each block's heads.
        """
        if self._watcher is not None and not isinstance(mask_bias, VariableLengths):
            output = self.forward_all(x, mask_bias, head_masks, attentions=self._watches_attentions)
            self._watcher(output)
            x = output.hidden_states[-1]
            return x[:, :1] if first_token_only else x
        blocks = zip(self.layer, head_masks, strict=True)
        for depth, (block, factors) in enumerate(blocks, start=1):
            last_asks_one = first_token_only and depth == len(self.layer)
            x = self._run(block, x, mask_bias, factors, last_asks_one)
        return x

    def forward_all(
        self,
        x: Tensor,
        mask_bias: Tensor | None,
        head_masks: Sequence[Tensor | None],
        *,
        attentions: bool,
    ) -> EncoderOutput:
        """Map (B, T, D) through every block and keep what each of them gives."""
        hidden_states, kept = [x], []
        for module, factors in zip(self.layer, head_masks, strict=True):
            block = cast("Block", module)
            if attentions:
                x, probabilities = self._run(block.with_probabilities, x, mask_bias, factors)
                kept.append(probabilities)
            else:
                x = self._run(block, x, mask_bias, factors)
            hidden_states.append(x)
        return EncoderOutput(tuple(hidden_states), tuple(kept) if attentions else None)

    def _run(self, block: Callable[..., Any], *arguments: Any) -> Any:
        if self.gradient_checkpointing and self.training:
            return checkpoint(block, *arguments, use_reentrant=False)
        return block(*arguments)


class Pooler(nn.Module):
    """BERT's summary of a row: the first token through a dense layer and tanh."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.dim, config.dim)

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Map (B, T, D) to (B, D)."""
        return torch.tanh(self.dense(hidden_states[:, 0]))


class Encoder(nn.Module):
    """Token ids to hidden states, for DistilBERT and (with token types and a pooler) for BERT.

    With `joins_rows` the blocks compute rows that are set end to end, without padding.
    """

    def __init__(self, config: ModelConfig, *, pooler: bool = False) -> None:
        super().__init__()
        self.config = config
        self.joins_rows = False
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
        head_mask: Tensor | None = None,
        first_token_only: bool = False,
    ) -> Tensor:
        """Return the last hidden states (B, T, D) of (B, T) ids.

        `attention_mask` (B, T) is 1 for tokens and 0 for padding; None means no padding. Token
        types are dropped by a model that has none, because tokenizers send them all the same.
        `head_mask` (n_layers, n_heads) holds factors on the attention probabilities of each head:
        0 silences it. Heads keep their numbers when others are pruned. With `first_token_only` the
        result is (B, 1, D) and the last block computes no more than that: of six layers' work it
        leaves out about a seventh.
        """
        x = self.embeddings(input_ids, token_type_ids)
        head_masks = self._by_layer(head_mask)
        hidden_states: Tensor
        if self.joins_rows and attention_mask is not None:
            rows = VariableLengths(attention_mask)
            hidden_states = self.transformer(
                rows.joined(x), rows, head_masks, first_token_only=first_token_only
            )
            return hidden_states[0][:, None] if first_token_only else rows.padded(hidden_states)
        hidden_states = self.transformer(
            x,
            mask_bias_of(attention_mask, x.dtype),
            head_masks,
            first_token_only=first_token_only,
        )
        return hidden_states

    def forward_all(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        *,
        head_mask: Tensor | None = None,
        attentions: bool = False,
    ) -> EncoderOutput:
        """Return the hidden states of every layer, and its attention probabilities if asked.

        The arguments are those of a plain call. `attentions` costs B·H·T² numbers a layer, and
        the slower attention that computes them.
        """
        x = self.embeddings(input_ids, token_type_ids)
        return self.transformer.forward_all(
            x,
            mask_bias_of(attention_mask, x.dtype),
            self._by_layer(head_mask),
            attentions=attentions,
        )

    def _by_layer(self, head_mask: Tensor | None) -> Sequence[Tensor | None]:
        shape = (self.config.n_layers, self.config.n_heads)
        if head_mask is None:
            return [None] * self.config.n_layers
        if tuple(head_mask.shape) != shape:
            raise UsageError(
                f"the head mask has the shape {tuple(head_mask.shape)}; the model needs {shape}, "
                "a factor for each head of each layer"
            )
        return head_mask.unbind(0)

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
