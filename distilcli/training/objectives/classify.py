"""Text classification: one label of several for a text or a pair of texts."""

from collections import Counter
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from distilcli.checkpoint.config import ModelConfig
from distilcli.model.linear_fit import Problem, Softmax
from distilcli.scores.classification import classification_scores
from distilcli.training.objectives.base import Metric
from distilcli.training.objectives.whole_texts import LabelledExample, TextObjective


class ClassifyObjective(TextObjective[int]):
    """Cross-entropy of the labels; the best model is the most accurate one."""

    task = "classify"
    kind = "single"
    metric = Metric("accuracy")

    def configure(self, config: ModelConfig) -> ModelConfig:
        """Return the configuration with the labels of the rows."""
        return config.with_labels(
            self.train.label_names, problem_type="single_label_classification"
        )

    def balanced_weights(self) -> list[float]:
        """Return the weight of each label: number of rows / labels / rows with the label.

        All labels then have the same total weight, and a row weighs 1 on average. Rows without a
        label do not count.
        """
        counts, names = Counter(self.train.labels), self.train.label_names
        total = sum(counts[index] for index in range(len(names)))
        return [total / len(names) / max(1, counts[index]) for index in range(len(names))]

    def problem(self, features: Tensor, indices: Sequence[int]) -> Problem:
        """Return the labels as shares, smoothed and weighted as in training."""
        labels = torch.tensor([self.train.labels[index] for index in indices])
        smoothing, n_labels = self.options.label_smoothing, len(self.train.label_names)
        targets = F.one_hot(labels, n_labels).float()
        targets = targets * (1 - smoothing) + smoothing / n_labels
        weights = torch.ones(n_labels) if self.weights is None else self.weights
        return Problem(features, targets, weights[labels][:, None], labels.numpy(), Softmax())

    def gold(self, example: LabelledExample[int]) -> tuple[int]:
        """Return the label of the row."""
        return (example.label,)

    def scores(self, device: torch.device) -> dict[str, float]:
        """Return accuracy and macro-F1 on the validation rows."""
        predicted = [row.scores.index(max(row.scores)) for row in self.classifications(device)]
        scores = classification_scores(
            self.valid.labels, predicted, n_labels=len(self.train.label_names)
        )
        return {"accuracy": scores.accuracy, "macro_f1": scores.macro_f1}
