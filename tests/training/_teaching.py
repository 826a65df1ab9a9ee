"""A student and a teacher over the toy rows, and what a batch of them gives."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from distilcli.checkpoint.config import ModelConfig
from distilcli.engine.batching import pad
from distilcli.model.heads import SequenceClassifier
from distilcli.training.datasets.classify import UNLABELLED
from distilcli.training.distill.loss import Distillation, map_layers
from distilcli.training.distill.teacher import Teacher
from distilcli.training.objectives.classify import LabelledExample
from distilcli.training.objectives.soft_targets import soft_cross_entropy
from distilcli.training.options import DistillationOptions
from tests.training._runs import CONFIG, Rows, ToyObjective, rows

# No dropout: what a student gives is a function of its weights.
STUDENT = replace(
    CONFIG, dropout=0.0, attention_dropout=0.0, classifier_dropout=0.0, initializer_range=0.3
)
TEACHER = replace(STUDENT, n_layers=4)
ROWS = rows(12, seed=5)


class TeachableToy(ToyObjective):
    """The toy task, from a teacher as well."""

    varies = False

    def labelled(self, example: LabelledExample) -> int:
        return int(example.label != UNLABELLED)

    def soft_loss(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        return soft_cross_entropy(student, teacher, temperature)


class Pair:
    """A student of a teacher, and the objective between them."""

    def __init__(
        self,
        *,
        student: ModelConfig = STUDENT,
        teacher: ModelConfig = TEACHER,
        data: Rows = ROWS,
        **options: Any,
    ) -> None:
        none = dict.fromkeys(("alpha_ce", "alpha_task", "alpha_cos"), 0.0)
        self.options = DistillationOptions(**{**none, **options})
        torch.manual_seed(1)
        self.teacher_model = SequenceClassifier(teacher)
        torch.manual_seed(2)
        self.student = SequenceClassifier(student)
        self.layers = map_layers(
            self.options, n_student=student.n_layers, n_teacher=teacher.n_layers
        )
        self.teacher = Teacher(
            self.teacher_model,
            TeachableToy(self.teacher_model, data),
            layers=[theirs for _, theirs in self.layers.hidden_states],
            attention_layers=[theirs for _, theirs in self.layers.attentions],
        )
        self.distillation = Distillation(
            TeachableToy(self.student, data),
            self.teacher,
            self.student,
            options=self.options,
            layers=self.layers,
        )

    def loss(self, indices: Sequence[int]) -> Tensor:
        """The loss of one batch, summed."""
        examples = self.distillation.examples(indices, epoch=0)
        pieces = [piece for example in examples for piece in example.pieces]
        batch = pad(pieces, pad_token_id=0, device=torch.device("cpu"))
        outputs = self.distillation.outputs(self.student, batch, examples)
        return self.distillation.loss(outputs, examples)
