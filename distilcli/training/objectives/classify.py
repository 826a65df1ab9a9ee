"""Learning to classify: one label of several for a text or a pair of texts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from distilcli.checkpoint.config import ModelConfig
from distilcli.model.heads import SequenceClassifier
from distilcli.scores.classification import classification_scores
from distilcli.tasks.classify import Kind
from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.training.objectives.base import Metric
from distilcli.training.objectives.soft_targets import soft_cross_entropy
from distilcli.training.objectives.whole_texts import LabelledExample, TextLesson, TextObjective


@dataclass(frozen=True, slots=True)
class ClassifyLesson(TextLesson[int]):
    """Rows with one label each, of `train.label_names`."""

    task: ClassVar[str] = "classify"

    def configure(self, config: ModelConfig) -> ModelConfig:
        """Return the configuration with the labels of the rows."""
        return config.with_labels(
            self.train.label_names, problem_type="single_label_classification"
        )

    def objective(
        self, model: SequenceClassifier, tokenizer: Tokenizer, *, max_length: int
    ) -> "ClassifyObjective":
        """Tokenize the rows; longer ones are cut off."""
        return ClassifyObjective(self, model, tokenizer, max_length=max_length)

    def weights(self) -> list[float]:
        """Return the weight of each label: rows over labels, over the rows that have it.

        So all labels weigh the same together, and a row weighs 1 on average. Rows without a
        label do not count.
        """
        counts, names = Counter(self.train.labels), self.train.label_names
        total = sum(counts[index] for index in range(len(names)))
        return [total / len(names) / max(1, counts[index]) for index in range(len(names))]


class ClassifyObjective(TextObjective[int]):
    """Cross-entropy of the labels; the best model is the most accurate one."""

    kind: ClassVar[Kind] = "single"
    metric = Metric("accuracy")

    def __init__(
        self,
        lesson: ClassifyLesson,
        model: SequenceClassifier,
        tokenizer: Tokenizer,
        *,
        max_length: int,
    ) -> None:
        super().__init__(lesson, model, tokenizer, max_length=max_length)
        balanced = lesson.options.class_weights == "balanced"
        self._weights = torch.tensor(lesson.weights()) if balanced else None

    def loss(self, outputs: Tensor, examples: Sequence[LabelledExample]) -> Tensor:
        """Return the cross-entropy, summed over rows."""
        return F.cross_entropy(
            outputs,
            torch.tensor([example.label for example in examples], device=outputs.device),
            weight=None if self._weights is None else self._weights.to(outputs.device),
            label_smoothing=self._lesson.options.label_smoothing,
            reduction="sum",
        )

    def soft_loss(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Return the cross-entropy with the teacher's softened outputs."""
        return soft_cross_entropy(student, teacher, temperature)

    def scores(self, device: torch.device) -> dict[str, float]:
        """Return accuracy and macro-F1 on the validation rows."""
        predicted = [row.scores.index(max(row.scores)) for row in self.found(device)]
        scores = classification_scores(
            self._lesson.valid.labels, predicted, n_labels=len(self._config.labels)
        )
        return {"accuracy": scores.accuracy, "macro_f1": scores.macro_f1}
