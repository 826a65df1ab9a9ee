"""A task that a tiny model learns in a moment, and runs over it."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from distilcli.checkpoint.config import ModelConfig
from distilcli.engine.batching import Piece
from distilcli.model.heads import SequenceClassifier
from distilcli.training.loop import LabelledSequences, Progress, Trainer, TrainingOptions
from distilcli.training.run_folder import RunFolder

CONFIG = ModelConfig(
    vocab_size=40,
    max_position_embeddings=16,
    dim=16,
    n_layers=2,
    n_heads=2,
    hidden_dim=32,
    initializer_range=0.1,
    labels=("no", "yes"),
    problem_type="single_label_classification",
)
OPTIONS = TrainingOptions(
    epochs=2, learning_rate=3e-3, token_budget=60, evaluate_every=3, precision="fp32"
)


def rows(count: int, *, seed: int) -> LabelledSequences:
    """Rows of 4 to 12 ids whose label says whether id 5 is among them."""
    draw = random.Random(seed)
    pieces, labels = [], []
    for _ in range(count):
        ids = [2, *draw.choices(range(6, 40), k=draw.randint(2, 10)), 3]
        label = draw.randrange(2)
        if label:
            ids[draw.randrange(1, len(ids) - 1)] = 5
        pieces.append(Piece(ids))
        labels.append(label)
    return LabelledSequences(pieces, labels)


TRAIN, VALID = rows(60, seed=1), rows(40, seed=2)


class Run:
    """A run in a folder: every time the same model, rows and options."""

    def __init__(
        self,
        path: Path,
        *,
        on_progress: Callable[[Progress], None] = lambda _: None,
        train: LabelledSequences = TRAIN,
        config: ModelConfig = CONFIG,
        **options: Any,
    ) -> None:
        self.folder = RunFolder(path, fingerprint={"run": "toy"}, tokenizer_files=[])
        torch.manual_seed(0)
        self.model = SequenceClassifier(config)
        self.start = weights(self.model)
        self.trainer = Trainer(
            self.model,
            train,
            VALID,
            options=replace(OPTIONS, **options),
            device=torch.device("cpu"),
            run=self.folder,
            on_progress=on_progress,
        )

    def begin(self) -> dict[str, Any]:
        """Run from the start."""
        self.folder.create(force=True)
        return self.trainer.train()

    def go_on(self) -> dict[str, Any]:
        """Run on from the saved state."""
        self.trainer.resume(self.folder.load_state())
        return self.trainer.train()


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of a model's weights."""
    return {name: weight.detach().clone() for name, weight in model.state_dict().items()}


def outcome(run: Run) -> dict[str, bytes]:
    """All that a run leaves: its files, and the weights that it ended with."""
    files = {path.name: path.read_bytes() for path in run.folder.path.iterdir()}
    live = {name: weight.numpy().tobytes() for name, weight in run.model.state_dict().items()}
    return files | live
