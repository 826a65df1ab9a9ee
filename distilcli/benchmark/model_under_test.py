"""The model that is measured: its encoder, in one precision on one device, and what it weighs.

`distilbert-base` and `bert-base` are shapes: their weights are random, from a seed, and nothing
is downloaded. Random weights cost the same time as trained ones.
"""

import random
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from distilcli.benchmark.memory import settle
from distilcli.checkpoint.config import ModelConfig
from distilcli.checkpoint.locate import locate
from distilcli.engine.batching import Batch, Piece
from distilcli.errors import UsageError
from distilcli.memory import resident_bytes
from distilcli.model.device import place
from distilcli.model.heads import BaseModel
from distilcli.model.inference import for_inference
from distilcli.model.loading import load_model
from distilcli.model.precision import Precision, dtype_of

DEFAULT_SHAPE = "distilbert-base"
SHAPES = {
    DEFAULT_SHAPE: ModelConfig(),
    "bert-base": ModelConfig(
        model_type="bert", n_layers=12, type_vocab_size=2, classifier_dropout=None
    ),
}
_SEED = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """An encoder ready to run, without BERT's pooler, which most heads do without.

    `bytes` are those of its weights as it keeps them.
    `held` is what it took of the device's memory (on the CPU of the process's), if that is known.
    """

    name: str
    config: ModelConfig
    model: BaseModel
    device: torch.device
    precision: Precision
    parameters: int
    bytes: int
    held: int | None = None

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


def open_subject(
    name: str, precision: Precision, *, device: str, offline: bool, longest: int
) -> Subject:
    """Load the encoder of a model, or draw the weights of a shape, ready for `longest` tokens.

    Raises `ModelError`, `ResourceError` or `UsageError` where it cannot be had.
    """
    settle()
    before = resident_bytes()
    subject = _prepared(name, precision, device=device, offline=offline, longest=longest)
    # What it was made of is gone by now: int8 needs none of the matrices in fp32.
    settle()
    if subject.device.type == "cuda":
        return replace(subject, held=subject.bytes)
    return replace(subject, held=_growth(before, resident_bytes()))


def _prepared(
    name: str, precision: Precision, *, device: str, offline: bool, longest: int
) -> Subject:
    model = _encoder(name, offline=offline)
    config = model.config
    if longest > config.max_position_embeddings:
        raise UsageError(
            f"sequences of {longest:,} tokens: {name} reads at most "
            f"{config.max_position_embeddings:,}; ask for fewer"
        )
    where = place(model, device, vocab_size=config.vocab_size).device
    parameters = sum(weight.numel() for weight in model.parameters())
    size = held_bytes(model, precision)
    return Subject(
        name=name,
        config=config,
        model=for_inference(model, precision, where),
        device=where,
        precision=precision,
        parameters=parameters,
        bytes=size,
    )


def _encoder(name: str, *, offline: bool) -> BaseModel:
    if is_shape(name):
        return random_model(BaseModel, SHAPES[name]).eval()
    return load_model(locate(name, offline=offline), BaseModel).model


def random_model(kind: type, config: ModelConfig) -> BaseModel:
    """Build a model whose weights are a function of its config; the caller's draws go on as if."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        model: BaseModel = kind(config)
    return model


def held_bytes(model: BaseModel, precision: Precision) -> int:
    """Return the bytes of a model's weights in `precision`; `model` is as it was loaded.

    int8 is for the matrices of the blocks; each of their rows has a scale and a bias in fp32.
    """
    weights = sum(weight.numel() for weight in model.parameters())
    if precision != "int8":
        return weights * dtype_of(precision).itemsize
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
