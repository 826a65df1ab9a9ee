"""AdamW for a transformer: parameter groups, schedules, and an average of the weights."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from distilcli.model.keys import PREFIX


def build_optimizer(
    model: nn.Module,
    *,
    learning_rate: float,
    weight_decay: float,
    layer_decay: float,
    projection: nn.Module | None = None,
) -> torch.optim.AdamW:
    """Return AdamW over the trainable weights.

    Norms and biases are not decayed. With `layer_decay` d < 1 the head learns at the full rate,
    the top block at d, the one below at d², the embeddings slowest (ULMFiT's discriminative
    rates, Howard and Ruder 2018). A `projection` learns at the full rate.
    """
    depth = 1 + max((_layer(name) for name, _ in model.named_parameters()), default=0)
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    named = [*model.named_parameters(), *(projection.named_parameters() if projection else ())]
    for name, parameter in named:
        if not parameter.requires_grad:
            continue
        is_head = not name.startswith(PREFIX) or ".pooler." in name
        below_head = 0 if is_head else depth - _layer(name)
        decayed = parameter.dim() > 1  # a matrix, not a bias or a norm
        group = groups.setdefault(
            (below_head, decayed),
            {
                "params": [],
                "peak": learning_rate * layer_decay**below_head,
                "weight_decay": weight_decay if decayed else 0.0,
            },
        )
        group["params"].append(parameter)
    return torch.optim.AdamW(
        list(groups.values()), lr=learning_rate, betas=(0.9, 0.999), eps=1e-8, fused=True
    )


def set_learning_rate(optimizer: torch.optim.AdamW, share_of_peak: float) -> None:
    """Set every group's rate to a share of its own peak."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * share_of_peak


def linear_schedule(step: int, *, total: int, warmup: int) -> float:
    """Return the share of the peak rate at `step`, from 0: up over `warmup`, then down to 0."""
    if step < warmup:
        return (step + 1) / warmup
    return max(0.0, (total - step) / max(1, total - warmup))


def cosine_schedule(step: int, *, total: int, warmup: int) -> float:
    """Return the share of the peak rate at `step`: up over `warmup`, then down half a cosine."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, total - warmup))))


SCHEDULES: dict[str, Callable[..., float]] = {"linear": linear_schedule, "cosine": cosine_schedule}


class WeightAverage:
    """An exponential moving average of a model's trainable weights."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._model = model
        self._decay = decay
        self.weights = _clone(model)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after `step`, counted from 1."""
        # At first the average follows the weights closely.
        decay = min(self._decay, step / (step + 9))
        for name, parameter in self._model.named_parameters():
            if parameter.requires_grad:
                self.weights[name].lerp_(parameter, 1 - decay)

    @contextmanager
    def in_model(self) -> Iterator[None]:
        """Put the averaged weights into the model for a while."""
        live = _clone(self._model)
        self._model.load_state_dict(self.weights)
        yield
        self._model.load_state_dict(live)


def _clone(model: nn.Module) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in model.state_dict().items()}


def _layer(name: str) -> int:
    """Return the depth of a weight: 0 for embeddings, 1 for block 0, and so on."""
    parts = name.split(".")
    return int(parts[parts.index("layer") + 1]) + 1 if "layer" in parts else 0
