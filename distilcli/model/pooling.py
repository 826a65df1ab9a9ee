"""Pooling: the hidden states of a text's tokens to one vector.

Shapes: B rows, T tokens, D = dim. Padding never counts.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from distilcli.errors import UsageError


@dataclass(frozen=True, slots=True)
class Pooling:
    """The modes whose vectors are concatenated, and the number of last layers to average first."""

    modes: tuple[str, ...] = ("mean",)
    layers: int = 1

    @property
    def needs_first_token_only(self) -> bool:
        """Whether the last layer's first token is enough."""
        return self.modes == ("cls",) and self.layers == 1


def parse_pooling(name: str) -> Pooling:
    """Return the pooling called `name`: a mode, or `last-K`, the mean of the last K layers.

    Raises `UsageError` for an unknown name.
    """
    if name in MODES:
        return Pooling((name,))
    if (match := re.fullmatch(r"last-(\d{1,3})", name)) and int(match[1]) > 0:
        return Pooling(layers=int(match[1]))
    raise UsageError(
        f"unknown `pooling` {name!r}; use {', '.join(MODES)}, or last-K such as last-4"
    )


def pool(hidden_states: Tensor, mask: Tensor, modes: Sequence[str]) -> Tensor:
    """Pool hidden states (B, T, D) under a mask (B, T) of 0 and 1 into (B, D x number of modes).

    Every row must have at least one unmasked token.
    """
    pooled = [MODES[mode](hidden_states, mask) for mode in modes]
    return pooled[0] if len(pooled) == 1 else torch.cat(pooled, dim=-1)


def _first(hidden_states: Tensor, mask: Tensor) -> Tensor:
    return _at(hidden_states, mask.argmax(dim=1))


def _last(hidden_states: Tensor, mask: Tensor) -> Tensor:
    last = mask.size(1) - 1 - mask.flip(1).argmax(dim=1)
    return _at(hidden_states, last)


def _at(hidden_states: Tensor, positions: Tensor) -> Tensor:
    return hidden_states[torch.arange(len(positions), device=positions.device), positions]


def _max(hidden_states: Tensor, mask: Tensor) -> Tensor:
    return hidden_states.masked_fill(mask[:, :, None] == 0, -torch.inf).amax(dim=1)


def _mean(hidden_states: Tensor, mask: Tensor) -> Tensor:
    return _weighted_sum(hidden_states, mask) / mask.sum(dim=1, keepdim=True)


def _mean_sqrt(hidden_states: Tensor, mask: Tensor) -> Tensor:
    """Divide the sum by the square root of the token count instead of the count."""
    return _weighted_sum(hidden_states, mask) / mask.sum(dim=1, keepdim=True).sqrt()


def _by_position(hidden_states: Tensor, mask: Tensor) -> Tensor:
    """Weight each token by its position, from 1 (Muennighoff 2022, SGPT)."""
    weights = mask * torch.arange(1, mask.size(1) + 1, device=mask.device)
    return _weighted_sum(hidden_states, weights) / weights.sum(dim=1, keepdim=True)


def _weighted_sum(hidden_states: Tensor, weights: Tensor) -> Tensor:
    """Return (B, D), as a matrix product that needs no second (B, T, D)."""
    return torch.bmm(weights[:, None, :].to(hidden_states.dtype), hidden_states)[:, 0]


MODES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": _mean,
    "cls": _first,
    "max": _max,
    "mean-sqrt": _mean_sqrt,
    "weighted": _by_position,
    "last-token": _last,
}
"""Pooling modes by name: each maps hidden states (B, T, D) and a mask (B, T) to (B, D)."""
