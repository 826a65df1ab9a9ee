"""A linear map from features to labels or numbers, fitted directly rather than step by step.

L-BFGS minimises the mean loss of the rows + l2/2 · (sum of squared weights), in coordinates in
which the problem is nearly round: the principal axes of the features, each scaled by the curvature
along it. Cross-validation chooses `l2`.

Shapes: N rows, D features, C outputs.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

GRID = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)
"""The strengths of the penalty that are tried, from the strongest to the weakest.

Among those whose score is best but for half its standard error, the one with the lowest loss is
chosen: on 616 rows of Banking77 that is right more often than by score or by loss alone.
"""

DEFAULT_L2 = 0.03
"""The strength where rows are too few to try any; the best for eight rows of each label."""

_FEW_ROWS, _FOLDS, _FOLDS_OF_MANY = 2_000, 5, 3
_MOST_ROWS = 20_000  # in a cross-validation: more would change its choice little
_FEWEST_TESTED = 8
_PATIENCE = 2  # weaker penalties that may be worse in a row before the search ends
_ITERATIONS, _ROUGH_ITERATIONS = 100, 25
_TOLERANCE, _ROUGH_TOLERANCE = 1e-6, 1e-4
_SMALLEST_SPREAD = 1e-6
_SMALLEST_SHARE = 1e-3  # of the mean spread


class Loss(Protocol):
    """A loss of outputs (N, C) against targets (N, C), each weighted as `Problem` says.

    `score_name` names its score, which is at most 1, and higher for better outputs.
    """

    score_name: str

    def value(self, outputs: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss summed over rows, and its gradient (N, C)."""

    def curvature(self, targets: Tensor) -> float:
        """Return about the second derivative of a row's loss by one of its outputs."""

    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """Return the score."""


class Softmax:
    """The cross-entropy of one label of several; a row has one weight."""

    score_name = "accuracy"

    def value(self, outputs: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss summed over rows, and its gradient (N, C)."""
        logs = F.log_softmax(outputs, dim=1)
        loss = -(logs * targets * weights).sum()
        return loss, logs.exp_().sub_(targets).mul_(weights)

    def curvature(self, targets: Tensor) -> float:
        """Return the mean variance of an indicator."""
        shares = targets.mean(0)
        return float((shares * (1 - shares)).mean())

    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """Return how often the right label has the highest output."""
        return float((outputs.argmax(1) == targets.argmax(1)).float().mean())


class Sigmoids:
    """The binary cross-entropy of each label, averaged over labels: one against the rest."""

    score_name = "micro_f1"

    def value(self, outputs: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss summed over rows, and its gradient (N, C)."""
        scale = weights / outputs.shape[1]
        loss = F.binary_cross_entropy_with_logits(outputs, targets, scale, reduction="sum")
        return loss, (outputs.sigmoid() - targets) * scale

    def curvature(self, targets: Tensor) -> float:
        """Return the mean variance of an indicator, over the number of labels."""
        shares = targets.mean(0)
        return float((shares * (1 - shares)).mean()) / targets.shape[1]

    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """Return the F1 of all labels together."""
        predicted = (outputs > 0).float()
        hits = float((predicted * targets).sum())
        return 2 * hits / max(1.0, float(predicted.sum() + targets.sum()))


class Squares:
    """Half the squared error of numbers: ridge regression."""

    score_name = "r2"

    def value(self, outputs: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss summed over rows, and its gradient (N, C)."""
        errors = outputs - targets
        return (errors.square() * weights).sum() / 2, errors * weights

    def curvature(self, targets: Tensor) -> float:  # noqa: ARG002 - others need them
        """Return the second derivative, which is 1."""
        return 1.0

    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """Return the share of the variance that is explained."""
        spread = (targets - targets.mean(0)).square().sum().clamp(min=_SMALLEST_SPREAD)
        return float(1 - (outputs - targets).square().sum() / spread)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is fitted: features (N, D), targets (N, C), and a loss.

    `weights` (N, 1) or (N, C) multiply the loss of rows, or of each target. `strata` (N,) are the
    labels that every fold of a cross-validation should have alike.
    """

    features: Tensor
    targets: Tensor
    weights: Tensor
    strata: np.ndarray
    loss: Loss

    def rows(self, indices: np.ndarray) -> "Problem":
        """Return some of the rows."""
        at = torch.from_numpy(indices)
        return Problem(
            self.features[at], self.targets[at], self.weights[at], self.strata[indices], self.loss
        )


@dataclass(frozen=True, slots=True)
class LinearFit:
    """A fitted map: `weight` (C, D) and `bias` (C,), the strength of the penalty `l2`.

    `score` is that of cross-validation, by the name `score_name`, in `folds`; None if the rows
    were too few for any.
    """

    weight: Tensor
    bias: Tensor
    l2: float
    score_name: str
    score: float | None = None
    folds: int = 0


def fit(problem: Problem, *, seed: int) -> LinearFit:
    """Fit a map to all rows, with the strength that cross-validation by `seed` finds best."""
    tried, folds = _cross_validated(problem, seed)
    l2 = _best(tried) if tried else DEFAULT_L2
    mean, spread = _moments(problem.features)
    axes = _Axes((problem.features - mean) / spread, problem)
    solved = axes.solve(l2, start=None)
    weight = axes.weight(solved) / spread
    score = tried[l2].score if tried else None
    bias = solved[:, -1] - weight @ mean
    return LinearFit(weight, bias, l2, problem.loss.score_name, score, folds)


def held_out(problem: Problem, *, seed: int) -> Tensor:
    """Return outputs (N, C) for each row from a fit to the other folds, in folds drawn by `seed`.

    They are NaN for the only row of a label, which no fold tests.
    """
    tried, _ = _cross_validated(problem, seed)
    l2 = _best(tried) if tried else DEFAULT_L2
    fold_of = _folds(problem.strata, _FOLDS, np.random.default_rng(seed))
    outputs = torch.full(problem.targets.shape, math.nan)
    for number in range(_FOLDS):
        if (fold_of == number).any():
            fold = _Fold(problem, fold_of, number)
            outputs[fold.tested] = fold.outputs(l2)
    return outputs


@dataclass(frozen=True, slots=True)
class _Tried:
    """What cross-validation found of a strength: its score, and its loss, on so many rows."""

    score: float
    loss: float
    rows: int


def _best(tried: dict[float, _Tried]) -> float:
    top = max(tried.values(), key=lambda each: each.score)
    share = min(1.0, max(0.0, top.score))
    slack = math.sqrt(share * (1 - share) / top.rows) / 2
    good = [l2 for l2, each in tried.items() if each.score >= top.score - slack]
    return min(good, key=lambda l2: tried[l2].loss)


def _cross_validated(problem: Problem, seed: int) -> tuple[dict[float, _Tried], int]:
    """Return what was found of each strength that was tried, and the number of folds."""
    draw = np.random.default_rng(seed)
    count = len(problem.features)
    if count > _MOST_ROWS:
        problem = problem.rows(np.sort(draw.choice(count, _MOST_ROWS, replace=False)))
    n_folds = _FOLDS if len(problem.features) <= _FEW_ROWS else _FOLDS_OF_MANY
    fold_of = _folds(problem.strata, n_folds, draw)
    rows = int((fold_of >= 0).sum())
    if rows < _FEWEST_TESTED:
        return {}, 0
    parts = [_Fold(problem, fold_of, fold) for fold in range(n_folds) if (fold_of == fold).any()]
    tested = torch.cat([part.tested for part in parts])
    targets, weights = problem.targets[tested], problem.weights[tested]
    tried: dict[float, _Tried] = {}
    for l2 in GRID:
        outputs = torch.cat([part.outputs(l2) for part in parts])
        loss = float(problem.loss.value(outputs, targets, weights)[0]) / rows
        tried[l2] = _Tried(problem.loss.score(outputs, targets), loss, rows)
        losses = [each.loss for each in tried.values()]
        if len(losses) - losses.index(min(losses)) > _PATIENCE:
            break
    return tried, len(parts)


def _folds(strata: np.ndarray, n_folds: int, draw: np.random.Generator) -> np.ndarray:
    """Return the fold in which each row is tested; -1 for the only row of a label."""
    folds = np.full(len(strata), -1)
    first = 0
    for label in np.unique(strata):
        rows = draw.permutation(np.flatnonzero(strata == label))
        if len(rows) > 1:
            folds[rows] = (first + np.arange(len(rows))) % n_folds
            first += len(rows)
    return folds


class _Fold:
    """A part of the rows, and a fit to all others that goes on from strength to strength."""

    def __init__(self, problem: Problem, fold_of: np.ndarray, fold: int) -> None:
        self.tested = torch.from_numpy(np.flatnonzero(fold_of == fold))
        learned = problem.rows(np.flatnonzero(fold_of != fold))
        mean, spread = _moments(learned.features)
        self._axes = _Axes((learned.features - mean) / spread, learned)
        self._features = ((problem.features[self.tested] - mean) / spread) @ self._axes.rotation
        self._solved: Tensor | None = None

    def outputs(self, l2: float) -> Tensor:
        """Return the outputs for the tested rows."""
        self._solved = self._axes.solve(l2, start=self._solved, rough=True)
        found: Tensor = self._features @ self._solved[:, :-1].T + self._solved[:, -1]
        return found


class _Axes:
    """A problem in the principal axes of its features."""

    def __init__(self, features: Tensor, problem: Problem) -> None:
        covariance = features.T @ features / len(features)
        spreads, self.rotation = torch.linalg.eigh(covariance)
        self._spreads = spreads.clamp(min=0)
        self._features = features @ self.rotation
        self._problem = problem

    def weight(self, solved: Tensor) -> Tensor:
        """Return the weights (C, D) of a solution on the features themselves."""
        weight: Tensor = solved[:, :-1] @ self.rotation.T
        return weight

    def solve(self, l2: float, *, start: Tensor | None, rough: bool = False) -> Tensor:
        """Return the weights along the axes and the biases, (C, D + 1)."""
        problem, count = self._problem, len(self._features)
        curvature = problem.loss.curvature(problem.targets)
        scale = (curvature * self._spreads + l2).rsqrt()
        bias_scale = scale.new_tensor([max(curvature, _SMALLEST_SPREAD) ** -0.5])
        scales = torch.cat([scale, bias_scale])
        n_outputs = problem.targets.shape[1]
        begin = torch.zeros(n_outputs, len(scales)) if start is None else start / scales
        free = begin.requires_grad_()
        optimizer = torch.optim.LBFGS(
            [free],
            max_iter=_ROUGH_ITERATIONS if rough else _ITERATIONS,
            tolerance_grad=0,
            tolerance_change=_ROUGH_TOLERANCE if rough else _TOLERANCE,
            line_search_fn="strong_wolfe",
        )

        @torch.no_grad()
        def closure() -> Tensor:
            solved = free * scales
            weight, bias = solved[:, :-1], solved[:, -1]
            outputs = torch.addmm(bias, self._features, weight.T)
            loss, gradient = problem.loss.value(outputs, problem.targets, problem.weights)
            gradient /= count
            by_weight = torch.addmm(l2 * weight, gradient.T, self._features)
            free.grad = torch.cat([by_weight, gradient.sum(0)[:, None]], dim=1) * scales
            return loss / count + l2 / 2 * weight.square().sum()

        optimizer.step(closure)  # type: ignore[no-untyped-call]
        solved: Tensor = free.detach() * scales
        return solved


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each feature; one that never varies counts as small."""
    spread, mean = torch.std_mean(features, dim=0, correction=0)
    return mean, spread.clamp(min=max(_SMALLEST_SPREAD, float(spread.mean()) * _SMALLEST_SHARE))
