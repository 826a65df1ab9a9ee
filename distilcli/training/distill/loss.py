"""Distillation: a student learns from its rows and from a teacher (Sanh et al. 2019).

    loss = alpha_ce·T²·KL(teacher ‖ student) + alpha_task·(loss of the task)
         + alpha_cos·(1 - cosine of the last hidden states)
         + alpha_hidden·(squared error of hidden states)
         + alpha_attention·(squared error of attention)

The first is a mean over the units of the task, the second over those that have a label, the
others over tokens, each example weighted by its units. If the student is narrower than its teacher,
a linear map that learns with it projects the student's hidden states to the teacher's width; the
saved model does not have it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distilcli.engine.batching import Batch
from distilcli.model.capture import captured_layers, interleaved
from distilcli.model.heads import TaskModel
from distilcli.training import distributed
from distilcli.training.distill.teacher import AnyTeacher, Targets
from distilcli.training.objectives import AnyObjective
from distilcli.training.objectives.base import Example
from distilcli.training.options import DistillationOptions


@dataclass(frozen=True, slots=True)
class LayerMap:
    """Which layers of the teacher the student's layers are compared with.

    Pairs (student's, teacher's) of hidden states, where 0 is the embeddings and the last layers
    come first; and of attention, counted from 0.
    """

    hidden_states: tuple[tuple[int, int], ...]
    attentions: tuple[tuple[int, int], ...]


def map_layers(options: DistillationOptions, *, n_student: int, n_teacher: int) -> LayerMap:
    """Match the student's layers with the teacher's, spread evenly up to the last.

    The cosine compares only the last layers, squared errors every layer of the student.
    """
    spread = [math.ceil((layer + 1) * n_teacher / n_student) for layer in range(n_student)]
    last = (n_student, n_teacher)
    hidden = [last] if options.alpha_cos or options.alpha_hidden else []
    if options.alpha_hidden:
        hidden += [(0, 0), *((layer + 1, spread[layer]) for layer in range(n_student - 1))]
    attentions = enumerate(layer - 1 for layer in spread) if options.alpha_attention else ()
    return LayerMap(tuple(hidden), tuple(attentions))


@dataclass(slots=True)
class TaughtExample(Example):
    """An example of the student, with the index and the epoch that identify it for the teacher.

    `label_weight` is the number of units per labelled unit in the example's step.
    """

    example: Example
    index: int
    epoch: int
    label_weight: float


@dataclass(frozen=True, slots=True)
class TaughtOutputs:
    """The student's outputs for a batch, and the teacher's."""

    outputs: Tensor
    hidden_states: list[Tensor]
    attentions: list[Tensor]
    targets: Targets


class Distillation:
    """An objective with a teacher added.

    `projection` maps the student's width to the teacher's; None if they are equal or no hidden
    states are compared.
    """

    def __init__(
        self,
        objective: AnyObjective,
        teacher: AnyTeacher,
        student: TaskModel,
        *,
        options: DistillationOptions,
        layers: LayerMap,
    ) -> None:
        self.metric = objective.metric
        self._objective = objective
        self.teacher = teacher
        self._options = options
        self._layers = layers
        dim = student.config.dim
        narrower = bool(layers.hidden_states) and dim != teacher.dim
        self.projection = nn.Linear(dim, teacher.dim) if narrower else None

    @property
    def reaches_head(self) -> bool:
        """Whether the head learns from the loss: layers alone teach it nothing."""
        return bool(self._options.alpha_task or self._options.alpha_ce)

    @property
    def sizes(self) -> Sequence[int]:
        """The positions that each example takes in a batch."""
        return self._objective.sizes

    @property
    def row_weights(self) -> Sequence[float] | None:
        """How often each example is read in an epoch."""
        return self._objective.row_weights

    def examples(self, indices: Sequence[int], *, epoch: int) -> list[TaughtExample]:
        """Return the examples of a step as the models read them in an epoch."""
        examples = self._objective.examples(indices, epoch=epoch)
        units, labelled = distributed.summed(
            sum(map(self._objective.units, examples)),
            sum(map(self._objective.labelled, examples)),
        )
        weight = units / max(1, labelled)
        return [
            TaughtExample(example.pieces, example, index, epoch, weight)
            for index, example in zip(indices, examples, strict=True)
        ]

    def units(self, example: TaughtExample) -> int:
        """Count the units of an example."""
        return self._objective.units(example.example)

    def outputs(
        self, model: TaskModel, batch: Batch, examples: Sequence[TaughtExample]
    ) -> TaughtOutputs:
        """Run the student and the teacher on a batch."""
        indices = [example.index for example in examples]
        targets = self.teacher.targets(indices, epoch=examples[0].epoch)
        own = [example.example for example in examples]
        if not self._layers.hidden_states and not self._layers.attentions:
            return TaughtOutputs(self._objective.outputs(model, batch, own), [], [], targets)
        wants_attention = bool(self._layers.attentions)
        with captured_layers(model.distilbert, attentions=wants_attention) as captured:
            outputs = self._objective.outputs(model, batch, own)
        layers = interleaved(captured)
        states, attentions = layers.hidden_states, layers.attentions or ()
        return TaughtOutputs(
            outputs,
            [self._projected(states[ours]) for ours, _ in self._layers.hidden_states],
            [attentions[ours].float() for ours, _ in self._layers.attentions],
            targets,
        )

    def loss(self, outputs: TaughtOutputs, examples: Sequence[TaughtExample]) -> Tensor:
        """Return the weighted sum of all parts, each summed over units.

        The task's loss is scaled so that its mean over all units of a step is the mean over those
        with a label.
        """
        options, targets = self._options, outputs.targets
        own = [example.example for example in examples]
        total = outputs.outputs.new_zeros(())
        if options.alpha_task:
            weight = options.alpha_task * examples[0].label_weight
            total = total + weight * self._objective.loss(outputs.outputs, own)
        if options.alpha_ce:
            soft = self._objective.soft_loss(outputs.outputs, targets.outputs, options.temperature)
            total = total + options.alpha_ce * soft
        if not outputs.hidden_states and not outputs.attentions:
            return total
        weights = self._token_weights(examples).to(total.device)
        if options.alpha_cos:
            distance = 1 - F.cosine_similarity(
                outputs.hidden_states[0], targets.hidden_states[0], dim=-1
            )
            total = total + options.alpha_cos * (distance * weights).sum()
        if options.alpha_hidden:
            pairs = zip(outputs.hidden_states, targets.hidden_states, strict=True)
            errors = torch.stack([(ours - theirs).square().mean(-1) for ours, theirs in pairs])
            total = total + options.alpha_hidden * (errors.mean(0) * weights).sum()
        if options.alpha_attention:
            pairs = zip(outputs.attentions, targets.attentions, strict=True)
            errors = torch.stack([_attention_error(*pair) for pair in pairs])
            total = total + options.alpha_attention * (errors.mean(0) * weights).sum()
        return total

    def scores(self, device: torch.device) -> dict[str, float]:
        """Score the student on the validation rows."""
        return self._objective.scores(device)

    def _projected(self, hidden_states: Tensor) -> Tensor:
        projected = hidden_states if self.projection is None else self.projection(hidden_states)
        return projected.float()

    def _token_weights(self, examples: Sequence[TaughtExample]) -> Tensor:
        """Return the share of each position (P, T) in its example's units; 0 for padding."""
        rows = []
        for example in examples:
            tokens = sum(map(len, example.pieces))
            share = self.units(example) / tokens
            rows += [torch.full((len(piece),), share) for piece in example.pieces]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True)


def _attention_error(ours: Tensor, theirs: Tensor) -> Tensor:
    """Return the squared error (P, T) of each token's attention, summed over keys.

    If the numbers of heads differ, the means over heads are compared.
    """
    if ours.shape[1] != theirs.shape[1]:
        ours, theirs = ours.mean(1, keepdim=True), theirs.mean(1, keepdim=True)
    return (ours - theirs).square().sum(-1).mean(1)
