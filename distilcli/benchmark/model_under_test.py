"""The model under test: an encoder in one precision on one device, and the bytes it takes.

`distilbert-base` and `bert-base` are shapes with random weights from a seed, so nothing is
downloaded. Random weights take as long as trained ones.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

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
from distilcli.model.precision import dtype_of
from distilcli.model.precision_name import Precision

DEFAULT_SHAPE = "distilbert-base"
SHAPES = {
    DEFAULT_SHAPE: ModelConfig(),
    "bert-base": ModelConfig(
        model_type="bert", n_layers=12, type_vocab_size=2, classifier_dropout=None
    ),
}
_SEED = 0

Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelUnderTest:
    """An encoder ready to run, without BERT's pooler, which most heads do not use.

    `bytes` are of its weights in this precision. `held` are the bytes of the device's memory (of
    the process's on the CPU) that it took when it was loaded, None if unknown.
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
        """Run a batch and wait for the device; return an empty output per piece."""
        self.model(batch.input_ids, batch.attention_mask, batch.token_type_ids)
        synchronize(self.device)
        return [None] * len(batch.pieces)

    def pieces(self, *, seq: int, batch: int) -> list[Piece]:
        """Return `batch` sequences of `seq` random ids, the same at every call."""
        draw = random.Random(_SEED)
        types = [0] * seq if self.config.type_vocab_size > 1 else None
        return [
            Piece(draw.choices(range(self.config.vocab_size), k=seq), types) for _ in range(batch)
        ]


def is_shape(name: str) -> bool:
    """Tell whether a name stands for random weights; a folder of that name is a model."""
    return name in SHAPES and not Path(name).is_dir()


def open_model(
    name: str, precision: Precision, *, device: str, offline: bool, longest: int
) -> ModelUnderTest:
    """Load the encoder of a model or a shape, for sequences of up to `longest` tokens.

    Raises `ModelError` if there is no such model, `ResourceError` if the device cannot run it, and
    `UsageError` for sequences that are too long.
    """
    settle()
    before = resident_bytes()
    if is_shape(name):
        model = random_model(BaseModel, SHAPES[name]).eval()
    else:
        model = load_model(locate(name, offline=offline), BaseModel).model
    config, most = model.config, model.config.max_position_embeddings
    if longest > most:
        raise UsageError(
            f"sequences of {longest:,} tokens: {name} reads at most {most:,}; choose a smaller "
            "`seq`"
        )
    where = place(model, device, vocab_size=config.vocab_size).device
    parameters = sum(weight.numel() for weight in model.parameters())
    size = held_bytes(model, precision)
    held: int | None = size
    model = for_inference(model, precision, where)
    if where.type != "cuda":
        settle()  # the fp32 matrices that int8 ones were made of are free by now
        after = resident_bytes()
        held = None if before is None or after is None else max(0, after - before)
    return ModelUnderTest(
        name=name,
        config=config,
        model=model,
        device=where,
        precision=precision,
        parameters=parameters,
        bytes=size,
        held=held,
    )


def random_model(kind: Callable[[ModelConfig], Model], config: ModelConfig) -> Model:
    """Build a model with weights from a seed; the caller's random state stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        return kind(config)


def held_bytes(model: BaseModel, precision: Precision) -> int:
    """Return the bytes of a freshly loaded model's weights in `precision`.

    int8 stores the matrices of the blocks, with a scale and a bias in fp32 for each of their rows.
    """
    weights = sum(weight.numel() for weight in model.parameters())
    if precision != "int8":
        return weights * dtype_of(precision).itemsize
    linears = [m for m in model.distilbert.transformer.modules() if isinstance(m, nn.Linear)]
    in_int8 = sum(linear.weight.numel() for linear in linears)
    scales = sum(linear.out_features for linear in linears)
    return in_int8 + 4 * (weights - in_int8 + scales)


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all work of this thread."""
    if device.type == "cuda":
        torch.cuda.current_stream(device).synchronize()
    elif device.type == "mps":
        torch.mps.synchronize()
