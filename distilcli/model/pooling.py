"""Hidden states of a text's tokens to one vector.

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
    """Which modes make the vector (side by side, if several), over the mean of how many layers."""

    modes: tuple[str, ...] = ("mean",)
    layers: int = 1

    @property
    def needs_first_token_only(self) -> bool:
        """Whether nothing but the last layer's first token is looked at."""
        return self.modes == ("cls",) and self.layers == 1


def parse_pooling(name: str) -> Pooling:
    """Return the pooling of that name: a mode, or `last-K`, the mean over the last K layers.

    Raises `UsageError` for another name.
    """
    if name in MODES:
        return Pooling((name,))
    if (match := re.fullmatch(r"last-(\d{1,3})", name)) and int(match[1]) > 0:
        return Pooling(layers=int(match[1]))
    raise UsageError(
        f"--pooling {name!r} is not known; take {', '.join(MODES)}, or last-4 and such"
    )


def pool(hidden_states: Tensor, mask: Tensor, modes: Sequence[str]) -> Tensor:
    """Return (B, D x number of modes) for hidden states (B, T, D) under a mask (B, T) of 0 and 1.

    Every row has at least one token that counts.
    """
    pooled = [MODES[mode](hidden_states, mask) for mode in modes]
    return pooled[0] if len(pooled) == 1 else torch.cat(pooled, dim=-1)


def _first(hidden_states: Tensor, mask: Tensor) -> Tensor:
    return _at(hidden_states, mask.argmax(dim=1))


def _last(hidden_states: Tensor, mask: Tensor) -> Tensor:
    last = mask.size(1) - 1 - mask.flip(1).argmax(dim=1)
    return _at(hidden_states, last)


def _at(hidden_states: Tensor, places: Tensor) -> Tensor:
    return hidden_states[torch.arange(len(places), device=places.device), places]


def _max(hidden_states: Tensor, mask: Tensor) -> Tensor:
    return hidden_states.masked_fill(mask[:, :, None] == 0, -torch.inf).amax(dim=1)


def _mean(hidden_states: Tensor, mask: Tensor) -> Tensor:
    return _weighted_sum(hidden_states, mask) / mask.sum(dim=1, keepdim=True)


def _mean_sqrt(hidden_states: Tensor, mask: Tensor) -> Tensor:
    """Divide the sum by the root of the number of tokens, which is kinder to long texts."""
    return _weighted_sum(hidden_states, mask) / mask.sum(dim=1, keepdim=True).sqrt()


def _by_place(hidden_states: Tensor, mask: Tensor) -> Tensor:
    """Weigh a token by its place from 1 on (Muennighoff 2022, SGPT)."""
    weights = mask * torch.arange(1, mask.size(1) + 1, device=mask.device)
    return _weighted_sum(hidden_states, weights) / weights.sum(dim=1, keepdim=True)


def _weighted_sum(hidden_states: Tensor, weights: Tensor) -> Tensor:
    """Return (B, D): as a matrix product, which makes no second (B, T, D)."""
    return torch.bmm(weights[:, None, :].to(hidden_states.dtype), hidden_states)[:, 0]


MODES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": _mean,
    "cls": _first,
    "max": _max,
    "mean-sqrt": _mean_sqrt,
    "weighted": _by_place,
    "last-token": _last,
}
"""The modes by name: each maps hidden states (B, T, D) and a mask (B, T) to (B, D)."""
