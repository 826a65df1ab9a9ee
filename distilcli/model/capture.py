"""The hidden states and attention probabilities of every layer, not of the last one alone."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distilcli.model.attention import mask_bias_of
from distilcli.model.encoder import Block, Encoder, Transformer


@dataclass(frozen=True, slots=True)
class LayerOutputs:
    """The outputs of every layer.

    `hidden_states` are n_layers + 1 tensors (B, T, D), the embeddings first; `attentions` are
    n_layers tensors (B, H, T, T) of probabilities, one row per querying token, or None if they
    were not asked for. A layer with pruned heads has fewer H.
    """

    hidden_states: tuple[Tensor, ...]
    attentions: tuple[Tensor, ...] | None


def forward_all(
    encoder: Encoder,
    input_ids: Tensor,
    attention_mask: Tensor | None = None,
    token_type_ids: Tensor | None = None,
    *,
    attentions: bool = False,
) -> LayerOutputs:
    """Run an encoder on (B, T) ids and return the outputs of every layer.

    `attentions` costs B·H·T² numbers per layer, and the slower attention that computes them.
    """
    x = encoder.embeddings(input_ids, token_type_ids)
    return _run_layers(encoder.transformer, x, attention_mask, attentions=attentions)


@contextmanager
def captured_layers(encoder: Encoder, *, attentions: bool = False) -> Iterator[list[LayerOutputs]]:
    """Collect the outputs of every layer each time a head calls its encoder.

    The head gets what it would get without. Meanwhile every layer computes every token;
    `attentions` costs what it costs in `forward_all`.
    """
    transformer = encoder.transformer
    capturing = _CapturingTransformer(transformer, attentions=attentions)
    encoder.transformer = capturing
    try:
        yield capturing.outputs
    finally:
        encoder.transformer = transformer


def interleaved(calls: Sequence[LayerOutputs]) -> LayerOutputs:
    """Return the outputs for a whole batch of which each of N calls took every N-th sequence.

    They are padded with zeros to the longest sequence.
    """
    longest = max(outputs.hidden_states[0].shape[1] for outputs in calls)

    def joined(parts: Iterable[Tensor], *, of_pairs: bool) -> Tensor:
        padded = []
        for x in parts:
            missing = (0, longest - x.shape[2 if of_pairs else 1])
            padded.append(F.pad(x, missing * 2 if of_pairs else (0, 0, *missing)))
        return torch.stack(padded, dim=1).flatten(0, 1)

    states = zip(*(outputs.hidden_states for outputs in calls), strict=True)
    attentions = zip(*(outputs.attentions or () for outputs in calls), strict=True)
    return LayerOutputs(
        tuple(joined(parts, of_pairs=False) for parts in states),
        tuple(joined(parts, of_pairs=True) for parts in attentions),
    )


class _CapturingTransformer(Transformer):
    """Stands in for a transformer, with the same layers, and keeps their outputs."""

    def __init__(self, transformer: Transformer, *, attentions: bool) -> None:
        nn.Module.__init__(self)
        self.layer = transformer.layer
        self.gradient_checkpointing = transformer.gradient_checkpointing
        self.training = transformer.training
        self.outputs: list[LayerOutputs] = []
        self._attentions = attentions

    def forward(
        self, x: Tensor, attention_mask: Tensor | None = None, *, first_token_only: bool = False
    ) -> Tensor:
        self.outputs.append(_run_layers(self, x, attention_mask, attentions=self._attentions))
        x = self.outputs[-1].hidden_states[-1]
        return x[:, :1] if first_token_only else x


def _run_layers(
    transformer: Transformer, x: Tensor, attention_mask: Tensor | None, *, attentions: bool
) -> LayerOutputs:
    mask_bias = mask_bias_of(attention_mask, x.dtype)
    hidden_states: list[Tensor] = [x]
    kept: list[Tensor] = []
    for block in transformer.blocks:
        if attentions:
            x, probabilities = transformer.run(partial(_with_probabilities, block), x, mask_bias)
            kept.append(probabilities)
        else:
            x = transformer.run(block, x, mask_bias)
        hidden_states.append(x)
    return LayerOutputs(tuple(hidden_states), tuple(kept) if attentions else None)


def _with_probabilities(block: Block, x: Tensor, mask_bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the output (B, T, D) of a block and its attention probabilities (B, H, T, T)."""
    attention = block.attention
    context, probabilities = attention.attend(*attention.project(x, x), mask_bias)
    return block.after_attention(x, attention.merge(context)), probabilities
