"""Learning to classify with any number of labels for a text or a pair of texts."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from distilcli.checkpoint.config import ModelConfig
from distilcli.model.heads import SequenceClassifier
from distilcli.scores.classification import multi_label_scores
from distilcli.tasks.classify import Kind
from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.training.datasets.multilabel import WITHOUT
from distilcli.training.objectives.base import Metric
from distilcli.training.objectives.soft_targets import soft_binary_cross_entropy
from distilcli.training.objectives.whole_texts import LabelledExample, TextLesson, TextObjective

_THRESHOLD = 0.5  # as classify has it


@dataclass(frozen=True, slots=True)
class MultilabelLesson(TextLesson[tuple[int, ...]]):
    """Rows with any number of labels each, of `train.label_names`."""

    task: ClassVar[str] = "multilabel"

    def configure(self, config: ModelConfig) -> ModelConfig:
        """Return the configuration with the labels of the rows."""
        return config.with_labels(self.train.label_names, problem_type="multi_label_classification")

    def objective(
        self, model: SequenceClassifier, tokenizer: Tokenizer, *, max_length: int
    ) -> "MultilabelObjective":
        """Tokenize the rows; longer ones are cut off."""
        return MultilabelObjective(self, model, tokenizer, max_length=max_length)

    def weights(self) -> list[float]:
        """Return the weight of having each label: the rows without it over those with it.

        Rows of which nobody said what they have do not count.
        """
        labelled = [labels for labels in self.train.labels if labels != WITHOUT]
        counts = Counter(label for labels in labelled for label in labels)
        total = len(labelled)
        return [
            max(1, total - counts[index]) / max(1, counts[index])
            for index in range(len(self.train.label_names))
        ]


class MultilabelObjective(TextObjective[tuple[int, ...]]):
    """Binary cross-entropy of each label by itself, averaged over labels.

    The best model has the best micro-F1: hits and misses of all labels are counted together.
    """

    kind: ClassVar[Kind] = "multi"
    metric = Metric("micro_f1")

    def __init__(
        self,
        lesson: MultilabelLesson,
        model: SequenceClassifier,
        tokenizer: Tokenizer,
        *,
        max_length: int,
    ) -> None:
        super().__init__(lesson, model, tokenizer, max_length=max_length)
        balanced = lesson.options.class_weights == "balanced"
        self._weights = torch.tensor(lesson.weights()) if balanced else None

    def labelled(self, example: LabelledExample) -> int:
        """Count a row as one where it is known what it has."""
        return int(example.label != WITHOUT)

    def loss(self, outputs: Tensor, examples: Sequence[LabelledExample]) -> Tensor:
        """Return the binary cross-entropy, averaged over labels and summed over rows."""
        places = [place for place, each in enumerate(examples) if self.labelled(each)]
        wanted = self._indicators(examples[place].label for place in places)
        total = F.binary_cross_entropy_with_logits(
            outputs[places],
            wanted.to(outputs.device, outputs.dtype),
            pos_weight=None if self._weights is None else self._weights.to(outputs.device),
            reduction="sum",
        )
        return total / outputs.shape[-1]

    def soft_loss(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Return the cross-entropy with the teacher's softened outputs."""
        return soft_binary_cross_entropy(student, teacher, temperature)

    def scores(self, device: torch.device) -> dict[str, float]:
        """Return F1, micro and macro, and the share of rows that get exactly their labels."""
        predicted = np.array([row.scores for row in self.found(device)]) >= _THRESHOLD
        expected = self._indicators(self._lesson.valid.labels).numpy()
        scores = multi_label_scores(expected, predicted)
        return {
            "micro_f1": scores.micro.f1,
            "macro_f1": scores.macro.f1,
            "accuracy": scores.accuracy,
        }

    def _indicators(self, rows: Iterable[Sequence[int]]) -> Tensor:
        """Return booleans (rows, labels) that are True for the labels of each row."""
        rows = list(rows)
        found = torch.zeros(len(rows), len(self._config.labels), dtype=torch.bool)
        for row, labels in enumerate(rows):
            found[row, list(labels)] = True
        return found
