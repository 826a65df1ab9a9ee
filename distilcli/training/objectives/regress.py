"""Regression: a number for a text or a pair of texts."""

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from distilcli.checkpoint.config import ModelConfig
from distilcli.model.heads import SequenceClassifier
from distilcli.model.linear_fit import Problem, Squares
from distilcli.scores.regression import regression_scores
from distilcli.training.objectives.base import Metric
from distilcli.training.objectives.soft_targets import squared_distance
from distilcli.training.objectives.whole_texts import LabelledExample, TextObjective

LABELS = ("LABEL_0",)  # the name that transformers gives a single output


class RegressObjective(TextObjective[float]):
    """Squared error over the variance of the numbers.

    The best model has the best Pearson correlation.
    """

    task = "regress"
    kind = "regression"
    metric = Metric("pearson")

    def configure(self, config: ModelConfig) -> ModelConfig:
        """Return the configuration with one output."""
        return config.with_labels(LABELS, problem_type="regression")

    @torch.no_grad()
    def set_up(self, model: SequenceClassifier, *, keeps_head: bool) -> None:
        """Standardize the outputs by the numbers' mean and standard deviation.

        A head that is kept predicts the same as before.
        """
        model.standardize(mean=self.mean, spread=self.spread)
        if keeps_head:
            model.classifier.weight.div_(self.spread)
            model.classifier.bias.sub_(self.mean).div_(self.spread)

    @cached_property
    def mean(self) -> float:
        """The mean of the training numbers."""
        return float(np.mean(self._numbers))

    @cached_property
    def spread(self) -> float:
        """Their standard deviation."""
        return float(np.std(self._numbers))

    @property
    def _numbers(self) -> list[float]:
        """The training numbers; the validation numbers if those are fewer than two different."""
        known = [number for number in self.train.labels if not math.isnan(number)]
        return known if len(set(known)) > 1 else self.valid.labels

    def problem(self, features: Tensor, indices: Sequence[int]) -> Problem:
        """Return the numbers in the units of the head's weights."""
        numbers = torch.tensor([self.train.labels[index] for index in indices])
        targets = ((numbers - self.mean) / self.spread)[:, None]
        strata = np.zeros(len(numbers))
        return Problem(features, targets, torch.ones_like(targets), strata, Squares())

    def labelled(self, example: LabelledExample[float]) -> int:
        """Count a row with a number as one."""
        return int(not math.isnan(example.label))

    def loss(self, outputs: Tensor, examples: Sequence[LabelledExample[float]]) -> Tensor:
        """Return the squared error over the variance, summed over rows."""
        gold = torch.tensor([[example.label] for example in examples], device=outputs.device)
        is_known = ~gold.isnan()
        return ((outputs[is_known] - gold[is_known]) / self.spread).square().sum()

    def soft_loss(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Return the squared distance to the teacher's numbers, over the variance."""
        return squared_distance(student, teacher) / self.spread**2

    def scores(self, device: torch.device) -> dict[str, float]:
        """Return the correlations with the validation numbers, and the errors."""
        predicted = np.array([row.score for row in self.classifications(device)])
        scores = regression_scores(np.array(self.valid.labels), predicted)
        return {
            # The same prediction for every row correlates with nothing.
            "pearson": float(np.nan_to_num(scores.pearson)),
            "spearman": float(np.nan_to_num(scores.spearman)),
            "rmse": scores.rmse,
            "mae": scores.mae,
        }
