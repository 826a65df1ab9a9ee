"""Fits of known problems, and the choice of the penalty."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from distilcli.model.linear_fit import (
    DEFAULT_L2,
    GRID,
    LinearFit,
    Loss,
    Problem,
    Sigmoids,
    Softmax,
    Squares,
    fit,
)

pytestmark = pytest.mark.slow


def problem(
    features: Tensor, targets: Tensor, loss: Loss, *, weights: Tensor | None = None
) -> Problem:
    strata = targets.argmax(1).numpy()
    weights = torch.ones(len(targets), 1) if weights is None else weights
    return Problem(features, targets, weights, strata, loss)


def points(labels: Tensor, *, seed: int = 0, spread: float = 1.0) -> Tensor:
    """Points around the corners of a simplex in ten dimensions, far from 0, of unequal scales."""
    draw = torch.Generator().manual_seed(seed)
    noise = spread * torch.randn(len(labels), 10, generator=draw)
    return (3 * F.one_hot(labels, 10) + noise) * torch.logspace(-1, 1, 10) + 5


def outputs(found: LinearFit, features: Tensor) -> Tensor:
    return features @ found.weight.T + found.bias


@pytest.mark.parametrize("n_labels", [2, 3, 7])
def test_labels_are_learned(n_labels: int) -> None:
    labels = torch.arange(20 * n_labels) % n_labels
    one_hot = F.one_hot(labels, n_labels).float()
    found = fit(problem(points(labels, spread=0.5), one_hot, Softmax()), seed=0)
    new = torch.arange(100) % n_labels
    hits = outputs(found, points(new, seed=9, spread=0.5)).argmax(1) == new
    assert hits.float().mean() > 0.9
    assert found.score_name == "accuracy"
    assert found.folds == 5
    assert found.score == pytest.approx(float(hits.float().mean()), abs=0.1)


def test_the_fit_is_the_minimum() -> None:
    labels = torch.arange(60) % 3
    features, targets = points(labels), F.one_hot(labels, 3).float()
    found = fit(problem(features, targets, Softmax()), seed=0)
    # The penalty counts weights on features of one scale.
    spread, mean = torch.std_mean(features, dim=0, correction=0)
    weight = (found.weight * spread).requires_grad_()
    bias = (found.bias + found.weight @ mean).requires_grad_()
    logits = ((features - mean) / spread) @ weight.T + bias
    loss = F.cross_entropy(logits, labels) + found.l2 / 2 * weight.square().sum()
    loss.backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    assert bias.grad is not None
    assert weight.grad.abs().max() < 2e-3
    assert bias.grad.abs().max() < 2e-3


def test_numbers_are_ridge_regression() -> None:
    draw = torch.Generator().manual_seed(1)
    features = torch.randn(50, 4, generator=draw) * torch.tensor([1.0, 5, 0.1, 2]) + 7
    true = torch.tensor([[1.0, -0.5, 3, 0]])
    targets = features @ true.T + 2 + 0.1 * torch.randn(50, 1, generator=draw)
    found = fit(Problem(features, targets, torch.ones(50, 1), np.zeros(50), Squares()), seed=0)
    centred = features - features.mean(0)
    spread = features.std(0, correction=0)
    scaled = centred / spread
    solved = torch.linalg.solve(
        scaled.T @ scaled / 50 + found.l2 * torch.eye(4),
        scaled.T @ (targets - targets.mean()) / 50,
    )
    torch.testing.assert_close(found.weight, (solved / spread[:, None]).T, rtol=1e-3, atol=1e-3)
    assert found.score_name == "r2"
    assert found.score is not None
    assert 0.95 < found.score <= 1


def test_several_labels_are_each_one_against_the_rest() -> None:
    labels = torch.arange(90) % 3
    features = points(labels, spread=0.4)
    targets = torch.stack([labels == 0, labels != 1], dim=1).float()
    found = fit(problem(features, targets, Sigmoids()), seed=0)
    assert ((outputs(found, features) > 0) == targets.bool()).float().mean() > 0.95
    alone = fit(problem(features, targets[:, :1], Sigmoids()), seed=0)
    assert ((outputs(alone, features) > 0) == targets[:, :1].bool()).float().mean() > 0.95
    assert found.score_name == "micro_f1"


@pytest.mark.parametrize("counts", [(1, 1), (2, 1), (1, 3), (2, 2)])
def test_too_few_rows_for_cross_validation_have_a_default(counts: tuple[int, int]) -> None:
    labels = torch.tensor([0] * counts[0] + [1] * counts[1])
    targets = F.one_hot(labels, 2).float()
    features = points(labels, spread=0.1)
    found = fit(problem(features, targets, Softmax()), seed=0)
    assert (found.l2, found.score, found.folds) == (DEFAULT_L2, None, 0)
    assert (outputs(found, features).argmax(1) == labels).all()


def test_a_label_with_one_row_is_learned_beside_others() -> None:
    labels = torch.tensor([0, 1] * 12 + [2])
    features = points(labels, spread=0.3)
    found = fit(problem(features, F.one_hot(labels, 3).float(), Softmax()), seed=0)
    assert found.folds == 5
    assert outputs(found, features)[-1].argmax() == 2


def test_weights_count() -> None:
    labels = torch.tensor([0] * 95 + [1] * 5)
    targets = F.one_hot(labels, 2).float()
    features = points(labels, spread=3)
    balanced = torch.tensor([100 / 2 / 95, 100 / 2 / 5])[labels][:, None]
    plain = fit(problem(features, targets, Softmax()), seed=0)
    weighted = fit(problem(features, targets, Softmax(), weights=balanced), seed=0)
    found = [int((outputs(each, features).argmax(1) == 1).sum()) for each in (plain, weighted)]
    assert found[1] > found[0]


def test_noise_takes_a_strong_penalty_and_signal_a_weak_one() -> None:
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(40) % 2
    targets = F.one_hot(labels, 2).float()
    noise = fit(problem(torch.randn(40, 30, generator=draw), targets, Softmax()), seed=0)
    signal = fit(problem(points(labels, spread=0.05), targets, Softmax()), seed=0)
    assert noise.l2 >= GRID[1]
    assert signal.l2 <= GRID[-2]


def test_features_that_never_vary_do_no_harm() -> None:
    labels = torch.arange(30) % 2
    features = torch.cat([points(labels, spread=0.2), torch.full((30, 2), 3.0)], dim=1)
    found = fit(problem(features, F.one_hot(labels, 2).float(), Softmax()), seed=0)
    assert found.weight.isfinite().all()
    assert (outputs(found, features).argmax(1) == labels).all()


def test_the_same_seed_gives_the_same_fit() -> None:
    labels = torch.arange(50) % 5
    posed = problem(points(labels, spread=2), F.one_hot(labels, 5).float(), Softmax())
    one, same = fit(posed, seed=3), fit(posed, seed=3)
    assert torch.equal(one.weight, same.weight)
    assert one.score == same.score
    assert len({fit(posed, seed=seed).score for seed in range(6)}) > 1
