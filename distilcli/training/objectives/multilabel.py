"""Multi-label classification: any number of labels for a text or a pair of texts."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from distilcli.checkpoint.config import ModelConfig
from distilcli.model.linear_fit import Problem, Sigmoids
from distilcli.scores.classification import multi_label_scores
from distilcli.training.datasets.multilabel import WITHOUT
from distilcli.training.objectives.base import Metric
from distilcli.training.objectives.soft_targets import soft_binary_cross_entropy
from distilcli.training.objectives.whole_texts import LabelledExample, TextObjective

_THRESHOLD = 0.5  # as in classify

Labels = tuple[int, ...]


class MultilabelObjective(TextObjective[Labels]):
    """Binary cross-entropy of each label, averaged over labels.

    The best model has the best micro-F1: hits and misses of all labels are counted together.
    """

    task = "multilabel"
    kind = "multi"
    metric = Metric("micro_f1")

    def configure(self, config: ModelConfig) -> ModelConfig:
        """Return the configuration with the labels of the rows."""
        return config.with_labels(self.train.label_names, problem_type="multi_label_classification")

    def balanced_weights(self) -> list[float]:
        """Return the positive weight of each label: the rows without it over the rows with it.

        Rows whose labels are unknown do not count.
        """
        known = [labels for labels in self.train.labels if labels != WITHOUT]
        counts = Counter(label for labels in known for label in labels)
        return [
            max(1, len(known) - counts[index]) / max(1, counts[index])
            for index in range(len(self.train.label_names))
        ]

    def problem(self, features: Tensor, indices: Sequence[int]) -> Problem:
        """Return an indicator of each label, with the weights of training."""
        rows = [self.train.labels[index] for index in indices]
        targets = self._indicators(rows).float()
        positive = torch.ones(targets.shape[1]) if self.weights is None else self.weights
        # Folds are alike in the first label of a row.
        strata = np.array([min(labels, default=-1) for labels in rows])
        return Problem(features, targets, 1 + targets * (positive - 1), strata, Sigmoids())

    def labelled(self, example: LabelledExample[Labels]) -> int:
        """Count a row whose labels are known as one."""
        return int(example.label != WITHOUT)

    def loss(self, outputs: Tensor, examples: Sequence[LabelledExample[Labels]]) -> Tensor:
        """Return the binary cross-entropy, averaged over labels and summed over rows."""
        known = [index for index, example in enumerate(examples) if self.labelled(example)]
        gold = self._indicators(examples[index].label for index in known)
        total = F.binary_cross_entropy_with_logits(
            outputs[known],
            gold.to(outputs.device, outputs.dtype),
            pos_weight=None if self.weights is None else self.weights.to(outputs.device),
            reduction="sum",
        )
        return total / outputs.shape[-1]

    def soft_loss(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Return the binary cross-entropy with the teacher's softened outputs."""
        return soft_binary_cross_entropy(student, teacher, temperature)

    def scores(self, device: torch.device) -> dict[str, float]:
        """Return micro-F1, macro-F1, and the share of rows whose labels are all right."""
        predicted = np.array([row.scores for row in self.classifications(device)]) >= _THRESHOLD
        scores = multi_label_scores(self._indicators(self.valid.labels).numpy(), predicted)
        return {
            "micro_f1": scores.micro.f1,
            "macro_f1": scores.macro.f1,
            "accuracy": scores.accuracy,
        }

    def _indicators(self, rows: Iterable[Labels]) -> Tensor:
        """Return booleans (rows, labels), True for the labels of each row."""
        rows = list(rows)
        found = torch.zeros(len(rows), len(self.train.label_names), dtype=torch.bool)
        for row, labels in enumerate(rows):
            found[row, list(labels)] = True
        return found
