"""A task that a tiny model learns in a moment, and runs over it."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from distilcli.checkpoint.config import ModelConfig
from distilcli.engine.batching import Batch, Piece
from distilcli.errors import RowError
from distilcli.model.heads import SequenceClassifier
from distilcli.training.loop import Progress, Trainer
from distilcli.training.objectives.base import Metric
from distilcli.training.objectives.classify import LabelledExample
from distilcli.training.options import TrainingOptions
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


@dataclass(frozen=True)
class Rows:
    """Tokenized rows with the index of each row's label."""

    pieces: list[Piece]
    labels: list[int]


def rows(count: int, *, seed: int) -> Rows:
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
    return Rows(pieces, labels)


TRAIN, VALID = rows(60, seed=1), rows(40, seed=2)


class ToyObjective:
    """Labels of rows, as an objective."""

    metric = Metric("accuracy")
    row_weights = None
    reaches_head = True

    def __init__(self, model: SequenceClassifier, train: Rows) -> None:
        self._model, self._train = model, train
        self.sizes = [len(piece) for piece in train.pieces]

    def examples(self, indices: Sequence[int], *, epoch: int) -> list[LabelledExample]:
        return [LabelledExample([self._train.pieces[i]], self._train.labels[i]) for i in indices]

    def units(self, example: LabelledExample) -> int:
        return 1

    def outputs(
        self, model: SequenceClassifier, batch: Batch, examples: Sequence[LabelledExample]
    ) -> torch.Tensor:
        return model(batch.input_ids, batch.attention_mask).float()

    def loss(self, outputs: torch.Tensor, examples: Sequence[LabelledExample]) -> torch.Tensor:
        labels = torch.tensor([example.label for example in examples])
        return F.cross_entropy(outputs, labels, reduction="sum")

    @torch.no_grad()
    def scores(self, device: torch.device) -> dict[str, float]:
        logits = torch.cat([self._model(torch.tensor([p.input_ids])) for p in VALID.pieces])
        if not logits.isfinite().all():
            raise RowError("no number")
        hits = logits.argmax(dim=1) == torch.tensor(VALID.labels)
        return {"accuracy": hits.float().mean().item(), "others": 1.0}


class Run:
    """A run in a folder: every time the same model, rows and options."""

    def __init__(
        self,
        path: Path,
        *,
        on_progress: Callable[[Progress], None] = lambda _: None,
        train: Rows = TRAIN,
        config: ModelConfig = CONFIG,
        **options: Any,
    ) -> None:
        self.folder = RunFolder(path, fingerprint={"run": "toy"}, tokenizer_files=[])
        torch.manual_seed(0)
        self.model = SequenceClassifier(config)
        self.start = weights(self.model)
        self.trainer = Trainer(
            self.model,
            ToyObjective(self.model, train),
            options=replace(OPTIONS, **options),
            device=torch.device("cpu"),
            run=self.folder,
            on_progress=on_progress,
        )

    def begin(self) -> dict[str, Any]:
        """Run from the start."""
        self.folder.create(force=True)
        return self._finish()

    def go_on(self) -> dict[str, Any]:
        """Run on from the saved state."""
        self.trainer.resume(self.folder.load_state())
        return self._finish()

    def _finish(self) -> dict[str, Any]:
        summary = self.trainer.train()
        self.folder.finish(summary)
        return summary


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of a model's weights."""
    return {name: weight.detach().clone() for name, weight in model.state_dict().items()}


def outcome(run: Run) -> dict[str, bytes]:
    """All that a run leaves: its files, and the weights that it ended with."""
    files = {path.name: path.read_bytes() for path in run.folder.path.iterdir()}
    live = {name: weight.numpy().tobytes() for name, weight in run.model.state_dict().items()}
    return files | live
