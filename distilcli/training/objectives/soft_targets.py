"""Losses between the outputs of a student and its teacher, summed over units."""

import torch
import torch.nn.functional as F
from torch import Tensor


def soft_cross_entropy(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Return T²·KL(teacher ‖ student) of the softmax of logits / T (Hinton et al. 2015).

    T² keeps the size of the gradient at any temperature. Impossible outputs are the dtype's lowest
    number in both; at the end of the teacher's rows they may be missing.
    """
    lowest = torch.finfo(teacher.dtype).min
    teacher = F.pad(teacher, (0, max(0, student.shape[-1] - teacher.shape[-1])), value=lowest)
    return temperature**2 * F.kl_div(
        F.log_softmax(_softened(student, temperature), dim=-1),
        F.softmax(_softened(teacher, temperature), dim=-1),
        reduction="sum",
    )


def soft_binary_cross_entropy(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Return the same for logits of independent labels: T² times the mean KL of their sigmoids."""
    scaled, target = student / temperature, teacher / temperature
    probabilities = target.sigmoid()
    cross = F.binary_cross_entropy_with_logits(scaled, probabilities, reduction="sum")
    entropy = F.binary_cross_entropy_with_logits(target, probabilities, reduction="sum")
    return temperature**2 * (cross - entropy) / student.shape[-1]


def squared_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the squared error of plain numbers (units, C), averaged over C."""
    return F.mse_loss(student, teacher, reduction="sum") / student.shape[-1]


def cosine_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Return 1 - cosine of vectors (units, D).

    If the student's vectors have another width, cosines between the units of the batch are
    compared instead: the squared error of each unit's row, averaged over the batch.
    """
    if student.shape == teacher.shape:
        return (1 - F.cosine_similarity(student, teacher)).sum()
    ours, theirs = F.normalize(student), F.normalize(teacher)
    return (ours @ ours.T - theirs @ theirs.T).square().mean(dim=1).sum()


def _softened(logits: Tensor, temperature: float) -> Tensor:
    # A temperature below 1 would turn the lowest number into -inf, and the loss into NaN.
    return (logits / temperature).clamp(min=torch.finfo(logits.dtype).min)
