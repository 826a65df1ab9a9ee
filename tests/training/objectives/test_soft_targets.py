import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from distilcli.training.objectives.soft_targets import (
    cosine_distance,
    soft_binary_cross_entropy,
    soft_cross_entropy,
    squared_distance,
)

LOWEST = torch.finfo(torch.float32).min
Loss = Callable[[Tensor, Tensor], Tensor]


def at(temperature: float, loss: Any) -> Loss:
    return lambda student, teacher: loss(student, teacher, temperature)


LOSSES = {
    "categories": at(2.0, soft_cross_entropy),
    "categories, sharp": at(0.5, soft_cross_entropy),
    "independent labels": at(2.0, soft_binary_cross_entropy),
    "numbers": squared_distance,
    "vectors": cosine_distance,
}
EVERY = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def drawn(rows: int = 4, columns: int = 3, *, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(rows, columns, dtype=torch.float64, generator=generator)


@EVERY
def test_gradients_are_those_of_the_loss(loss: Loss) -> None:
    student, teacher = drawn(seed=1).requires_grad_(), drawn(seed=2)
    assert torch.autograd.gradcheck(lambda x: loss(x, teacher), (student,))


def test_gradients_between_vectors_of_two_widths() -> None:
    student, teacher = drawn(columns=2, seed=1).requires_grad_(), drawn(columns=5, seed=2)
    assert torch.autograd.gradcheck(lambda x: cosine_distance(x, teacher), (student,))


@EVERY
def test_nothing_is_left_to_learn_where_both_say_the_same(loss: Loss) -> None:
    student = drawn(seed=1).requires_grad_()
    found = loss(student, student.detach().clone())
    found.backward()
    assert found.item() == pytest.approx(0, abs=1e-12)
    assert student.grad is not None
    assert student.grad.abs().max().item() < 1e-12
    assert loss(student, drawn(seed=2)).item() > 0.1


@EVERY
def test_the_loss_is_a_sum_over_units(loss: Loss) -> None:
    student, teacher = drawn(seed=1), drawn(seed=2)
    parts = [loss(student[row : row + 1], teacher[row : row + 1]).item() for row in range(4)]
    assert loss(student, teacher).item() == pytest.approx(sum(parts))


def softmax(logits: list[float]) -> list[float]:
    powers = [math.exp(logit) for logit in logits]
    return [power / sum(powers) for power in powers]


@pytest.mark.parametrize("temperature", [0.7, 1.0, 2.0, 5.0])
def test_categories_follow_the_formula(temperature: float) -> None:
    student, teacher = drawn(seed=1), drawn(seed=2)
    expected = 0.0
    for ours, theirs in zip(student.tolist(), teacher.tolist(), strict=True):
        q = softmax([logit / temperature for logit in ours])
        p = softmax([logit / temperature for logit in theirs])
        expected += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    found = soft_cross_entropy(student, teacher, temperature).item()
    assert found == pytest.approx(temperature**2 * expected)


def test_independent_labels_follow_the_formula() -> None:
    student, teacher, temperature = drawn(seed=1), drawn(seed=2), 3.0
    p, q = (teacher / temperature).sigmoid(), (student / temperature).sigmoid()
    divergence = p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
    found = soft_binary_cross_entropy(student, teacher, temperature)
    torch.testing.assert_close(found, temperature**2 * divergence.mean(1).sum())


def test_numbers_and_vectors_follow_their_formulas() -> None:
    student, teacher = drawn(seed=1), drawn(seed=2)
    torch.testing.assert_close(
        squared_distance(student, teacher), (student - teacher).square().mean(1).sum()
    )
    cosines = (student * teacher).sum(1) / student.norm(dim=1) / teacher.norm(dim=1)
    torch.testing.assert_close(cosine_distance(student, teacher), (1 - cosines).sum())


def test_vectors_of_two_widths_are_compared_by_what_they_are_like() -> None:
    teacher = drawn(columns=3, seed=1)
    # The same vectors in a larger space, turned: cosines between units are equal.
    turn = torch.linalg.qr(drawn(rows=5, columns=5, seed=3)).Q
    student = torch.nn.functional.pad(teacher, (0, 2)) @ turn
    assert cosine_distance(student, teacher).item() == pytest.approx(0, abs=1e-12)
    assert cosine_distance(drawn(columns=5, seed=2), teacher).item() > 0.1


@pytest.mark.parametrize("loss", [soft_cross_entropy, soft_binary_cross_entropy])
def test_the_size_of_the_gradient_does_not_depend_on_a_high_temperature(loss: Any) -> None:
    # For small logits T²·KL tends to half the mean squared difference, whatever T.
    sizes = []
    for temperature in (10.0, 20.0, 40.0):
        student = (0.1 * drawn(seed=1)).requires_grad_()
        loss(student, 0.1 * drawn(seed=2), temperature).backward()
        sizes.append(student.grad.norm().item())  # type: ignore[union-attr]
    assert sizes[0] > 0.01
    assert sizes == pytest.approx([sizes[0]] * 3, rel=0.02)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.0, 50.0])
def test_columns_that_are_impossible_for_both_play_no_part(temperature: float) -> None:
    student, teacher = drawn(seed=1).float(), drawn(seed=2).float()
    plain = student.clone().requires_grad_()
    expected = soft_cross_entropy(plain, teacher, temperature)
    expected.backward()
    assert plain.grad is not None
    wide = torch.full((4, 2), LOWEST)
    masked = torch.cat([student, wide], dim=1).requires_grad_()
    found = soft_cross_entropy(masked, torch.cat([teacher, wide], dim=1), temperature)
    found.backward()
    torch.testing.assert_close(found, expected)
    assert masked.grad is not None
    torch.testing.assert_close(masked.grad[:, :3], plain.grad)
    assert not masked.grad[:, 3:].any()


def test_a_row_that_is_impossible_altogether_gives_no_nan() -> None:
    student = torch.full((1, 3), LOWEST, requires_grad=True)
    soft_cross_entropy(student, torch.full((1, 3), LOWEST), 2.0).backward()
    assert student.grad is not None
    assert student.grad.isfinite().all()
