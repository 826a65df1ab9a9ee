from pathlib import Path

import torch

from distilcli.training.dry_run import estimate
from tests.training._runs import TRAIN, Run


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
        for step in run.trainer.steps_of(0)
        for batch in step
    ]
    assert (
        taken[0]
        == max(
            (sum(len(TRAIN.pieces[i]) for i in batch), size)
            for step, size in zip(run.trainer.steps_of(0), sizes, strict=True)
            for batch in step
        )[1]
    )
