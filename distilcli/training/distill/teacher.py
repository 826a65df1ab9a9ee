"""A teacher: a trained model whose outputs a student learns to match.

It reads the same rows as sequences of its own: a BERT needs token types, a DistilBERT does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from distilcli.engine.batching import pad
from distilcli.model.capture import captured_layers, interleaved
from distilcli.model.heads import TaskModel
from distilcli.training.distill.recorded import Array
from distilcli.training.objectives import AnyObjective


@dataclass(frozen=True, slots=True)
class Targets:
    """A teacher's outputs for a batch of P sequences, T tokens long with padding.

    `outputs` (units, C) are the head's; `hidden_states` (P, T, D) and `attentions` (P, H, T, T)
    those of the layers that are compared.
    """

    outputs: Tensor
    hidden_states: list[Tensor]
    attentions: list[Tensor]


class AnyTeacher(Protocol):
    """A teacher that is run for every batch, or one whose outputs are in files.

    `bytes_to_keep` estimates the disk space that the cache still needs. `objective` is that of the
    teacher's model, None if only its outputs are known.
    """

    dim: int
    bytes_to_keep: int

    @property
    def objective(self) -> AnyObjective | None:
        """The objective, prepared for the teacher's own model."""

    def targets(self, indices: Sequence[int], *, epoch: int) -> Targets:
        """Return the targets for the examples at these indices in an epoch."""


class Teacher:
    """A model that is run for every batch.

    `layers` are those whose hidden states are compared, where 0 is the embeddings;
    `attention_layers` those whose attention is compared, counted from 0.
    """

    bytes_to_keep = 0

    def __init__(
        self,
        model: TaskModel,
        objective: AnyObjective,
        *,
        layers: Sequence[int],
        attention_layers: Sequence[int] = (),
    ) -> None:
        self._model = model.eval().requires_grad_(False)
        self.objective = objective
        self.layers = layers
        self._attention_layers = attention_layers
        self.dim = model.config.dim

    @torch.no_grad()
    def targets(self, indices: Sequence[int], *, epoch: int) -> Targets:
        """Return the targets for the examples at these indices in an epoch."""
        examples = self.objective.examples(indices, epoch=epoch)
        batch = pad(
            [piece for example in examples for piece in example.pieces],
            pad_token_id=self._model.config.pad_token_id,
            device=next(self._model.parameters()).device,
        )
        wants_attention = bool(self._attention_layers)
        with captured_layers(self._model.distilbert, attentions=wants_attention) as captured:
            outputs = self.objective.outputs(self._model, batch, examples)
        layers = interleaved(captured)
        attentions = layers.attentions or ()
        return Targets(
            outputs,
            [layers.hidden_states[layer].float() for layer in self.layers],
            [attentions[layer].float() for layer in self._attention_layers],
        )


class RecordedTeacher:
    """What a teacher said of the training rows: `rows` (N,) of `values` (rows, units, C)."""

    dim = 0
    bytes_to_keep = 0
    objective = None

    def __init__(self, values: Array, rows: Array, device: torch.device) -> None:
        self._values, self._rows, self._device = values, rows, device

    def targets(self, indices: Sequence[int], *, epoch: int) -> Targets:  # noqa: ARG002
        """Return the targets for the examples at these indices, the same in every epoch."""
        outputs = self._values[self._rows[indices]].astype(np.float32)
        return Targets(torch.from_numpy(outputs).flatten(0, 1).to(self._device), [], [])
