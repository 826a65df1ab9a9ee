"""Learning to score: a number for a text or a pair of texts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from distilcli.checkpoint.config import ModelConfig
from distilcli.model.heads import SequenceClassifier
from distilcli.scores.regression import regression_scores
from distilcli.tasks.classify import Kind
from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.training.objectives.base import Metric
from distilcli.training.objectives.soft_targets import squared_distance
from distilcli.training.objectives.whole_texts import LabelledExample, TextLesson, TextObjective

LABELS = ("LABEL_0",)  # what transformers calls a single output


@dataclass(frozen=True, slots=True)
class RegressLesson(TextLesson[float]):
    """Rows with a number each."""

    task: ClassVar[str] = "regress"

    def configure(self, config: ModelConfig) -> ModelConfig:
        """Return the configuration with one output."""
        return config.with_labels(LABELS, problem_type="regression")

    def objective(
        self, model: SequenceClassifier, tokenizer: Tokenizer, *, max_length: int
    ) -> "RegressObjective":
        """Tokenize the rows; longer ones are cut off."""
        return RegressObjective(self, model, tokenizer, max_length=max_length)

    @torch.no_grad()
    def set_up(self, model: SequenceClassifier, *, keeps_head: bool) -> None:
        """Let a model's weights speak in units of the numbers' standard deviation.

        A head that is kept says the same as before.
        """
        model.standardize(mean=self.mean, spread=self.spread)
        if keeps_head:
            model.classifier.weight.div_(self.spread)
            model.classifier.bias.sub_(self.mean).div_(self.spread)

    @property
    def mean(self) -> float:
        """The mean of the numbers to learn."""
        return float(np.mean(self._numbers))

    @property
    def spread(self) -> float:
        """Their standard deviation."""
        return float(np.std(self._numbers))

    @property
    def _numbers(self) -> list[float]:
        """The numbers to learn; where a teacher alone knows more than one, those to validate on."""
        known = [number for number in self.train.labels if not math.isnan(number)]
        return known if len(set(known)) > 1 else self.valid.labels


class RegressObjective(TextObjective[float]):
    """Squared error in units of the numbers' own variance.

    The best model has the best Pearson correlation.
    """

    kind: ClassVar[Kind] = "regression"
    metric = Metric("pearson")

    def __init__(
        self,
        lesson: RegressLesson,
        model: SequenceClassifier,
        tokenizer: Tokenizer,
        *,
        max_length: int,
    ) -> None:
        super().__init__(lesson, model, tokenizer, max_length=max_length)
        self._spread = lesson.spread

    def labelled(self, example: LabelledExample) -> int:
        """Count a row with a number as one."""
        return int(not math.isnan(example.label))

    def loss(self, outputs: Tensor, examples: Sequence[LabelledExample]) -> Tensor:
        """Return the squared error over the variance, summed over rows."""
        wanted = torch.tensor([[example.label] for example in examples], device=outputs.device)
        is_known = ~wanted.isnan()
        return ((outputs[is_known] - wanted[is_known]) / self._spread).square().sum()

    def soft_loss(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Return the squared error of the teacher's numbers, over the variance."""
        return squared_distance(student, teacher) / self._spread**2

    def scores(self, device: torch.device) -> dict[str, float]:
        """Return the correlations with the validation rows' numbers, and how far off it is."""
        predicted = np.array([row.score for row in self.found(device)])
        scores = regression_scores(np.array(self._lesson.valid.labels), predicted)
        return {
            # One number for every row goes with nothing.
            "pearson": float(np.nan_to_num(scores.pearson)),
            "spearman": float(np.nan_to_num(scores.spearman)),
            "rmse": scores.rmse,
            "mae": scores.mae,
        }
