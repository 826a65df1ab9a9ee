import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from distilcli.training.distill.teacher import Targets
from distilcli.training.dry_run import estimate
from tests.training._runs import TRAIN, Run


@pytest.mark.slow
def test_counts_are_those_of_the_run(tmp_path: Path) -> None:
    run = Run(tmp_path / "a", epochs=3, evaluate_every=4)
    found = estimate(run.trainer, valid_share=0.5)
    assert not (tmp_path / "a").exists()
    whole = Run(tmp_path / "b", epochs=3, evaluate_every=4)
    summary = whole.begin()
    assert found.steps == summary["steps"]
    assert found.tokens == summary["tokens"] == 3 * sum(map(len, TRAIN.pieces))
    assert found.evaluations == len(whole.trainer.history)
    assert found.expected_seconds > 0
    assert (found.expected_peak_memory_bytes or 1) > 0


def test_the_largest_step_is_among_those_that_are_taken(tmp_path: Path) -> None:
    run = Run(tmp_path)
    taken: list[int] = []
    run.model.register_forward_pre_hook(
        lambda _, inputs: taken.append(inputs[0].numel()) if torch.is_grad_enabled() else None
    )
    estimate(run.trainer, valid_share=0.0)
    sizes = [
        max(len(TRAIN.pieces[i]) for i in batch) * len(batch)
        for step in run.trainer.steps.of_epoch(0)
        for batch in step
    ]
    assert (
        taken[0]
        == max(
            (sum(len(TRAIN.pieces[i]) for i in batch), size)
            for step, size in zip(run.trainer.steps.of_epoch(0), sizes, strict=True)
            for batch in step
        )[1]
    )


def test_what_is_read_once_is_not_expected_in_every_epoch(tmp_path: Path) -> None:
    options = {"epochs": 50, "freeze": "encoder"}
    each = estimate(Run(tmp_path, **options).trainer, valid_share=1.0)
    once = estimate(Run(tmp_path, **options).trainer, valid_share=1.0, reads_once=True)
    assert once.steps == each.steps
    assert once.expected_seconds < each.expected_seconds / 5


class Slow:
    """A teacher that takes its time."""

    dim, bytes_to_keep = 0, 1

    def targets(self, indices: Sequence[int], *, epoch: int) -> Targets:
        time.sleep(0.02)
        return Targets(torch.zeros(0), [], [])


@pytest.mark.slow
def test_a_teacher_is_asked_once_for_all_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, teacher = Run(tmp_path, epochs=50), Slow()
    step = run.trainer.step

    def taught(batches: list[list[int]]) -> None:
        for batch in batches:
            teacher.targets(batch, epoch=0)
        step(batches)

    monkeypatch.setattr(run.trainer, "step", taught)
    each = estimate(run.trainer, valid_share=0.0)
    once = estimate(run.trainer, valid_share=0.0, cached_teacher=teacher)
    assert once.expected_seconds < each.expected_seconds / 2
