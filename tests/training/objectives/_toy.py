"""Runs of finetune over toy rows."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from distilcli.checkpoint.folder import describe_folder
from distilcli.engine.batching import Batch, pad
from distilcli.tokenizer.loading import load_tokenizer
from distilcli.training.init_model import StartingPoint, start_model
from distilcli.training.loop import Progress
from distilcli.training.objectives import AnyObjective
from distilcli.training.options import TrainingOptions
from tests.training._finetune import finetune

OPTIONS = TrainingOptions(epochs=8, learning_rate=2e-3, token_budget=256, precision="fp32")


def learn(model: Path, objective: AnyObjective, folder: Path, **options: Any) -> dict[str, Any]:
    """Train on the CPU in fp32; return the summary."""
    named = {
        key: options.pop(key)
        for key in ("resume", "on_progress", "on_pass", "on_fit")
        if key in options
    }
    return finetune(
        StartingPoint(files=describe_folder(str(model), model)),
        objective,
        options=replace(OPTIONS, **options),
        folder=folder,
        device="cpu",
        **named,
    )


def stopped_at(step: int) -> Callable[[Progress], None]:
    """Return what interrupts a run after so many steps, as a kill would."""

    def on_progress(progress: Progress) -> None:
        if progress.step == step:
            raise KeyboardInterrupt

    return on_progress


def objective_of(
    folder: Path, objective: AnyObjective, *, max_length: int = 64, seed: int = 0
) -> Any:
    """Return the objective prepared for the initial model, and that model."""
    torch.manual_seed(seed)
    files = describe_folder("m", folder)
    model = start_model(StartingPoint(files=files), objective).model.eval()
    return objective.prepare(model, load_tokenizer(files), max_length=max_length), model


def batch_of(examples: list[Any]) -> Batch:
    """Return the pieces of examples as the loop puts them together."""
    pieces = [piece for example in examples for piece in example.pieces]
    return pad(pieces, pad_token_id=0, device=torch.device("cpu"))


def weights_of(folder: Path) -> bytes:
    """Return the trained model, to be compared."""
    return (folder / "model.safetensors").read_bytes()


def assert_exact_resume(model: Path, objective: AnyObjective, folder: Path, **options: Any) -> None:
    """Check that a run that was killed ends with the same bits as an unbroken one."""
    options = {"epochs": 2, "evaluate_every": 2, **options}
    learn(model, objective, folder / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        learn(model, objective, folder / "broken", on_progress=stopped_at(3), **options)
    learn(model, objective, folder / "broken", resume=True, **options)
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (folder / "whole" / name).read_bytes() == (folder / "broken" / name).read_bytes()
