"""The initial model of a run: loaded, changed in its architecture, with the head of its task."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from distilcli.checkpoint.config import ModelConfig, read_config
from distilcli.checkpoint.digest import model_digest
from distilcli.checkpoint.folder import ModelFiles
from distilcli.errors import UsageError
from distilcli.model.averaging import append_averaging_block
from distilcli.model.expected import check_sizes
from distilcli.model.heads import HEADS, SequenceClassifier, TaskModel
from distilcli.model.keys import PREFIX
from distilcli.model.loading import build_model, fill
from distilcli.model.surgery import (
    Growth,
    fold_token_types,
    prune_heads,
    resize_positions,
    spread_layers,
    take_layers,
)
from distilcli.model.weights import read_weights
from distilcli.training.objectives import AnyObjective

_SIZES = ("dim", "n_layers", "n_heads", "hidden_dim")
_HEAD_WIDTH = 64  # DistilBERT's


@dataclass(frozen=True, kw_only=True, slots=True)
class StartingPoint:
    """What a run starts from.

    `fold` turns a BERT encoder into the DistilBERT with the same hidden states. `layers` are the
    encoder's layers to keep, all if None. With `sizes` the model has these sizes and random
    weights instead; only the tokenizer is kept. `positions` is the new maximum number of tokens,
    filled as `growth` says, `tokens` are added to the vocabulary, and `pruned_heads` are attention
    heads to remove, by layer.
    `max_length` counts tokens, specials included; None is the limit of the model and its tokenizer.
    """

    files: ModelFiles
    fold: bool = False
    layers: tuple[int, ...] | None = None
    sizes: Mapping[str, int] | None = None
    max_length: int | None = None
    positions: int | None = None
    growth: Growth = "copy"
    tokens: tuple[str, ...] = ()
    pruned_heads: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    def labels(self) -> tuple[str, ...]:
        """Return the labels of the checkpoint's head, none if it has no head."""
        return read_config(self.files.config_path).labels

    def fingerprint(self) -> dict[str, object]:
        """Return what a run must have in common with the one that it resumes."""
        return {
            "model": model_digest(self.files),
            "fold": self.fold,
            "layers": None if self.layers is None else list(self.layers),
            "sizes": None if self.sizes is None else dict(self.sizes),
            "growth": self.growth,
            "tokens": list(self.tokens) or None,
        }


def starting_point(
    files: ModelFiles | None,
    *,
    teacher: ModelFiles | None,
    student_layers: str | None,
    sizes: Mapping[str, int] | None,
    **changes: Any,
) -> StartingPoint:
    """Return what a run starts from; `changes` are further fields of `StartingPoint`.

    Without `files` it is half of the teacher's layers, as for DistilBERT: 0, 2, 4, 7, 9, 11 of
    twelve. Layers of a BERT become a DistilBERT. Raises `UsageError` for layers that are not
    numbers.
    """
    start = files or teacher
    assert start is not None  # noqa: S101
    config = read_config(start.config_path)
    layers = None
    if student_layers is not None:
        if not re.fullmatch(r"\d{1,3}(,\d{1,3})*", student_layers):
            raise UsageError(
                f"`student_layers` {student_layers!r}: give numbers separated by commas, as 0,2,4"
            )
        layers = tuple(map(int, student_layers.split(",")))
    elif files is None and sizes is None:
        layers = spread_layers(max(1, config.n_layers // 2), config.n_layers)
    if layers is not None and config.type_vocab_size:
        changes["fold"] = True
    return StartingPoint(files=start, layers=layers, sizes=sizes, **changes)


@dataclass(frozen=True, slots=True)
class Started:
    """The initial model, and whether it keeps the trained head of its checkpoint."""

    model: TaskModel
    keeps_head: bool


def start_model(
    start: StartingPoint, objective: AnyObjective, *, averages: bool = False
) -> Started:
    """Build the model of an objective on the encoder of `start`, resized and pruned.

    Its head is random, unless the checkpoint has the same kind of head with the same labels in the
    same order. If the model `averages`, an encoder without any head of texts gets a block on top
    that averages the tokens.
    """
    config, weights = _encoder(start)
    trained_for = config.labels
    config = objective.configure(config).uncalibrated()
    model = build_model(objective.head, config, source=start.files.name)
    fresh = {
        key: value
        for key, value in model.state_dict().items()
        if not key.startswith(PREFIX) or ".pooler." in key
    }
    shapes = {key: value.shape for key, value in fresh.items() if not key.startswith(PREFIX)}
    has_head = all(key in weights and weights[key].shape == shapes[key] for key in shapes)
    keeps_head = has_head and trained_for == config.labels and not start.fold
    given = {key: value for key, value in weights.items() if keeps_head or key.startswith(PREFIX)}
    if start.sizes is None:
        fill(model, {**fresh, **given}, source=start.files.name)
    objective.set_up(model, keeps_head=keeps_head)
    if averages and start.sizes is None and HEADS[SequenceClassifier].proof not in weights:
        append_averaging_block(model)
    if start.positions is not None:
        resize_positions(model, start.positions, start.growth)
    prune_heads(model, start.pruned_heads)
    return Started(model, keeps_head)


def parse_sizes(text: str) -> dict[str, int]:
    """Parse the sizes of a student, such as `dim=256,n_layers=4`.

    Raises `UsageError` for an unknown size, or one that is not a positive integer.
    """
    sizes: dict[str, int] = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\w+)\s*=\s*([1-9]\d{0,5})\s*", part)
        if match is None or match[1] not in _SIZES:
            raise UsageError(
                f"`student` {part.strip()!r}: give NAME=COUNT, separated by commas; the names are "
                f"{', '.join(_SIZES)}"
            )
        sizes[match[1]] = int(match[2])
    return sizes


def _encoder(start: StartingPoint) -> tuple[ModelConfig, dict[str, Tensor]]:
    config = read_config(start.files.config_path)
    if start.sizes is not None:
        return _of_sizes(config, start.sizes), {}
    weights, _ = read_weights(start.files)
    shapes = {name: weight.shape for name, weight in weights.items()}
    check_sizes(config, shapes, source=start.files.name)
    if start.fold:
        config, weights = fold_token_types(config, weights)
    if start.layers is not None:
        config, weights = take_layers(config, weights, start.layers)
    return config, weights


def _of_sizes(config: ModelConfig, sizes: Mapping[str, int]) -> ModelConfig:
    """Return a DistilBERT of these sizes; the others follow from the width as DistilBERT's do."""
    dim = sizes.get("dim", config.dim)
    head_width = max(width for width in range(1, _HEAD_WIDTH + 1) if dim % width == 0)
    n_heads = sizes.get("n_heads", dim // head_width)
    if dim % n_heads:
        written = ",".join(f"{name}={sizes[name]}" for name in ("dim", "n_heads") if name in sizes)
        raise UsageError(
            f"`student` {written}: a width of {dim} is not divisible by {n_heads} heads; give "
            "another n_heads, or none"
        )
    base = ModelConfig()
    return replace(
        base,
        vocab_size=config.vocab_size,
        max_position_embeddings=config.max_position_embeddings,
        pad_token_id=config.pad_token_id,
        dim=dim,
        n_layers=sizes.get("n_layers", base.n_layers),
        n_heads=n_heads,
        hidden_dim=sizes.get("hidden_dim", 4 * dim),
    )
