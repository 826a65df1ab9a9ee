"""The model that is measured: its encoder, in one precision on one device, and what it weighs.

`distilbert-base` and `bert-base` are shapes: their weights are random, from a seed, and nothing
is downloaded. Random weights cost the same time as trained ones.
"""

import random
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from distilcli.benchmark.memory import resident_bytes
from distilcli.checkpoint.config import ModelConfig
from distilcli.checkpoint.locate import locate
from distilcli.engine.batching import Batch, Piece
from distilcli.errors import UsageError
from distilcli.model.device import Placement, place
from distilcli.model.heads import BaseModel
from distilcli.model.inference import for_inference
from distilcli.model.loading import load_model
from distilcli.model.precision import Precision

DEFAULT_SHAPE = "distilbert-base"
SHAPES = {
    DEFAULT_SHAPE: ModelConfig(),
    "bert-base": ModelConfig(
        model_type="bert", n_layers=12, type_vocab_size=2, classifier_dropout=None
    ),
}
_SEED = 0
_BYTES: dict[Precision, int] = {"bf16": 2, "fp16": 2}


@dataclass(frozen=True, slots=True)
class Loaded:
    """An encoder in fp32 on its device, without BERT's pooler, which most heads do without.

    `resident_before` is the memory that the process took before it was loaded.
    """

    name: str
    model: BaseModel
    placement: Placement
    resident_before: int | None

    @property
    def config(self) -> ModelConfig:
        """Its shape."""
        return self.model.config

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.placement.device

    def check_length(self, seq: int) -> None:
        """Raise `UsageError` for sequences longer than it reads."""
        if seq > self.config.max_position_embeddings:
            raise UsageError(
                f"sequences of {seq:,} tokens: {self.name} reads at most "
                f"{self.config.max_position_embeddings:,}; ask for fewer"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """An encoder ready to run; `bytes` are those of its weights as it keeps them.

    `held` is what it took of the device's memory (on the CPU of the process's), if that is known.
    """

    name: str
    config: ModelConfig
    model: BaseModel
    device: torch.device
    precision: Precision
    parameters: int
    bytes: int
    held: int | None

    def forward(self, batch: Batch) -> list[None]:
        """Run a batch to its end, on whatever device: one empty output per piece."""
        self.model(batch.input_ids, batch.attention_mask, batch.token_type_ids)
        synchronize(self.device)
        return [None] * len(batch.pieces)

    def pieces(self, *, seq: int, batch: int) -> list[Piece]:
        """Draw `batch` sequences of `seq` ids, the same at every call."""
        draw = random.Random(_SEED)
        types = [0] * seq if self.config.type_vocab_size > 1 else None
        return [
            Piece(draw.choices(range(self.config.vocab_size), k=seq), types) for _ in range(batch)
        ]


def is_shape(name: str) -> bool:
    """Whether a name stands for random weights; a folder of that name is a model of its own."""
    return name in SHAPES and not Path(name).is_dir()


def load(name: str, *, device: str, offline: bool) -> Loaded:
    """Load the encoder of a model, or draw the weights of a shape, and place it.

    Raises `ModelError`, `ResourceError` or `UsageError` where it cannot be had.
    """
    before = resident_bytes()
    if is_shape(name):
        model = random_model(BaseModel, SHAPES[name]).eval()
    else:
        model = load_model(locate(name, offline=offline), BaseModel).model
    return Loaded(name, model, place(model, device, vocab_size=model.config.vocab_size), before)


def random_model(kind: type, config: ModelConfig) -> BaseModel:
    """Build a model whose weights are a function of its config; the caller's draws go on as if."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        model: BaseModel = kind(config)
    return model


def prepare(loaded: Loaded, precision: Precision) -> Subject:
    """Make a loaded model ready in `precision`; it is used up. Raises `ResourceError`."""
    parameters = sum(weight.numel() for weight in loaded.model.parameters())
    size = held_bytes(loaded.model, precision)
    # tf32 holds for the process, and for the next precision too, unless it is taken back.
    torch.set_float32_matmul_precision("highest")
    model = for_inference(loaded.model, precision, loaded.device)
    before, after = loaded.resident_before, resident_bytes()
    return Subject(
        name=loaded.name,
        config=loaded.config,
        model=model,
        device=loaded.device,
        precision=precision,
        parameters=parameters,
        bytes=size,
        held=size if loaded.device.type == "cuda" else _growth(before, after),
    )


def held_bytes(model: BaseModel, precision: Precision) -> int:
    """Return the bytes of a model's weights in `precision`; `model` is as it was loaded.

    int8 is for the matrices of the blocks; each of their rows has a scale and a bias in fp32.
    """
    weights = sum(weight.numel() for weight in model.parameters())
    if precision != "int8":
        return weights * _BYTES.get(precision, 4)
    linears = [m for m in model.distilbert.transformer.modules() if isinstance(m, nn.Linear)]
    in_int8 = sum(linear.weight.numel() for linear in linears)
    scales = sum(linear.out_features for linear in linears)
    return in_int8 + 4 * (weights - in_int8 + scales)


def _growth(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else max(0, after - before)


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that this thread gave it."""
    if device.type == "cuda":
        torch.cuda.current_stream(device).synchronize()
    elif device.type == "mps":
        torch.mps.synchronize()
