"""A model's parameters by module, layer or tensor, with those of BERT-base beside them.

Names, types and shapes are enough, so only the header of the weights is read.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from distilcli.checkpoint.safetensors_header import CheckpointHeader
from distilcli.wording import count

Grouping = Literal["module", "layer", "tensor"]

SCALE_SUFFIX = "_scale"
"""int8 rows in `X.weight` have a scale each in `X.weight_scale`."""

_BUFFERS = ("position_ids", "token_type_ids")
_SAME_IF_TIED = {
    "vocab_projector.weight": "embeddings.word_embeddings.weight",
    "cls.predictions.decoder.weight": "embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}

_EMBEDDINGS = {
    "word_embeddings": "embeddings.word",
    "position_embeddings": "embeddings.position",
    "token_type_embeddings": "embeddings.token_type",
    "LayerNorm": "embeddings.norm",
}
# DistilBERT's names on the left, BERT's on the right.
_LAYER = {
    "attention.q_lin": "attention.q", "attention.self.query": "attention.q",
    "attention.k_lin": "attention.k", "attention.self.key": "attention.k",
    "attention.v_lin": "attention.v", "attention.self.value": "attention.v",
    "attention.out_lin": "attention.out", "attention.output.dense": "attention.out",
    "sa_layer_norm": "attention.norm", "attention.output.LayerNorm": "attention.norm",
    "ffn.lin1": "feed_forward.lin1", "intermediate.dense": "feed_forward.lin1",
    "ffn.lin2": "feed_forward.lin2", "output.dense": "feed_forward.lin2",
    "output_layer_norm": "feed_forward.norm", "output.LayerNorm": "feed_forward.norm",
}  # fmt: skip
_FORWARD = tuple(dict.fromkeys([*_EMBEDDINGS.values(), *_LAYER.values(), "pooler"]))

# Wrappers of a model (DataParallel, torch.compile, Lightning, sentence-transformers), its own name.
_PREFIX = re.compile(
    r"(?P<wrapper>(?:(?:module|_orig_mod|model|0\.auto_model|auto_model)\.)*)(?:(?:distil)?bert\.)?"
)
_IN_LAYER = re.compile(r"(?:transformer|encoder)\.layer\.(\d+)\.(.+)")


@dataclass(frozen=True, slots=True)
class Location:
    """The module of a tensor, and its layer if it is in one."""

    module: str
    layer: int | None = None

    def label(self, by: Literal["module", "layer"]) -> str:
        """Return the name of the line that counts it."""
        if by == "module":
            return self.module
        return self.module.partition(".")[0] if self.layer is None else f"layer.{self.layer}"


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor with what it stores, and how much of that is learned."""

    name: str
    location: Location
    dtype: str
    bytes: int
    parameters: int
    trainable: int


@dataclass(frozen=True, slots=True)
class Part:
    """One line of the table; `bert_base` counts the same part of BERT-base, None if unknown.

    `parameters` are without buffers, scales and second copies; `bytes` are all that is stored.
    """

    name: str
    parameters: int
    trainable: int
    dtype: str
    bytes: int
    bert_base: int | None

    @property
    def ratio(self) -> float | None:
        """Its parameters as a share of BERT-base's; None if BERT-base has none."""
        return self.parameters / self.bert_base if self.bert_base else None

    def record(self) -> dict[str, object]:
        """Return its cells by column."""
        return {
            "name": self.name,
            "parameters": self.parameters,
            "trainable": self.trainable,
            "dtype": self.dtype,
            "bytes": self.bytes,
            "bert_base": self.bert_base,
            "ratio": self.ratio,
        }


@dataclass(frozen=True, slots=True)
class ParameterTable:
    """The parts of a model in the order of its forward pass, their total, and notes."""

    parts: tuple[Part, ...]
    total: Part
    notes: tuple[str, ...]


def without_prefix(name: str) -> str:
    """Return a tensor's name without the model's prefix and any wrapper's before it."""
    return _PREFIX.sub("", name, count=1)


def wrapper_of(name: str) -> str:
    """Return what a program that wrapped the model put before a tensor's name; usually ''."""
    match = _PREFIX.match(name)
    return match["wrapper"] if match else ""


def location_of(name: str) -> Location:
    """Return where a tensor is in a DistilBERT or BERT; unknown names belong to the head."""
    bare = without_prefix(name)
    module = bare.rpartition(".")[0]
    if match := _IN_LAYER.fullmatch(module):
        layer, inside = match.groups()
        return Location(_LAYER.get(inside, f"other.{inside}"), int(layer))
    if module.startswith("embeddings."):
        inside = module.removeprefix("embeddings.")
        return Location(_EMBEDDINGS.get(inside, f"embeddings.{inside}"))
    if module == "embeddings":
        return Location("embeddings.buffers")
    if module.startswith("pooler"):
        return Location("pooler")
    return Location(f"head.{module or bare}")


def parameter_table(
    header: CheckpointHeader, config: Mapping[str, object], *, by: Grouping = "module"
) -> ParameterTable:
    """Group the tensors of a checkpoint, with BERT-base's beside them.

    `config`, its config.json, says whether output words are tied to input words (`tie_weights_`,
    `tie_word_embeddings`) and whether positions are computed (`sinusoidal_pos_embds`).
    """
    tensors = _tensors(header, config)
    reference = bert_base()
    total = _sum_up("total", tensors, sum(reference.values()))
    if by == "tensor":
        # BERT-base's tensors have other names.
        parts = [_sum_up(tensor.name, [tensor], None) for tensor in tensors]
    else:
        locations = [*(tensor.location for tensor in tensors), *reference]
        parts = []
        for label in dict.fromkeys(at.label(by) for at in sorted(locations, key=_order)):
            ours = [tensor for tensor in tensors if tensor.location.label(by) == label]
            theirs = [size for location, size in reference.items() if location.label(by) == label]
            parts.append(_sum_up(label, ours, sum(theirs)))
    return ParameterTable(tuple(parts), total, _notes(header, config))


def bert_base() -> dict[Location, int]:
    """Return the parameters of BERT-base (uncased, with its pooler) from its architecture."""
    vocab, positions, types, dim, hidden, layers = 30522, 512, 2, 768, 3072, 12
    norm, square = 2 * dim, dim * dim + dim
    inside = {
        "attention.q": square, "attention.k": square, "attention.v": square,
        "attention.out": square, "attention.norm": norm,
        "feed_forward.lin1": hidden * dim + hidden, "feed_forward.lin2": dim * hidden + dim,
        "feed_forward.norm": norm,
    }  # fmt: skip
    return {
        Location("embeddings.word"): vocab * dim,
        Location("embeddings.position"): positions * dim,
        Location("embeddings.token_type"): types * dim,
        Location("embeddings.norm"): norm,
        **{Location(name, at): size for at in range(layers) for name, size in inside.items()},
        Location("pooler"): square,
    }


def _order(location: Location) -> tuple[int, int, int]:
    """Sort key in the order of the forward pass: embeddings, layers, pooler, heads."""
    rank = _FORWARD.index(location.module) if location.module in _FORWARD else len(_FORWARD)
    if location.layer is not None:
        return (1, location.layer, rank)
    return (0 if location.module.startswith("embeddings.") else 2, 0, rank)


def _tensors(header: CheckpointHeader, config: Mapping[str, object]) -> list[Tensor]:
    """Return the tensors in the order of the forward pass."""
    copies, sinusoidal = _second_copies(header, config), bool(config.get("sinusoidal_pos_embds"))
    tensors = []
    for name, info in header.tensors.items():
        location = location_of(name)
        stored_only = without_prefix(name) in copies or _is_buffer(name) or _is_scale(name, header)
        parameters = 0 if stored_only else info.numel
        computed = sinusoidal and location.module == "embeddings.position"
        trainable = 0 if computed else parameters
        tensors.append(Tensor(name, location, info.dtype, info.nbytes, parameters, trainable))
    return sorted(tensors, key=lambda tensor: (_order(tensor.location), tensor.name))


def _is_buffer(name: str) -> bool:
    return name.rpartition(".")[2] in _BUFFERS


def _is_scale(name: str, header: CheckpointHeader) -> bool:
    packed = header.tensors.get(name.removesuffix(SCALE_SUFFIX))
    return name.endswith(SCALE_SUFFIX) and packed is not None and packed.dtype == "I8"


def _second_copies(header: CheckpointHeader, config: Mapping[str, object]) -> dict[str, str]:
    """Return tensors that the configuration ties to others, with the names of those."""
    if not (config.get("tie_weights_", True) and config.get("tie_word_embeddings", True)):
        return {}
    bare = {without_prefix(name): info for name, info in header.tensors.items()}
    return {
        copy: bare[original].name
        for copy, original in _SAME_IF_TIED.items()
        if copy in bare and original in bare and bare[copy].shape == bare[original].shape
    }


def _sum_up(name: str, tensors: Sequence[Tensor], reference: int | None) -> Part:
    return Part(
        name=name,
        parameters=sum(tensor.parameters for tensor in tensors),
        trainable=sum(tensor.trainable for tensor in tensors),
        dtype="+".join(sorted({tensor.dtype for tensor in tensors})),
        bytes=sum(tensor.bytes for tensor in tensors),
        bert_base=reference,
    )


def _notes(header: CheckpointHeader, config: Mapping[str, object]) -> tuple[str, ...]:
    """Return what is stored but not counted."""
    notes = [
        f"{copy} is tied to {original}: stored twice, counted once"
        for copy, original in _second_copies(header, config).items()
    ]
    notes += [f"{name} is a buffer, not a parameter" for name in header.tensors if _is_buffer(name)]
    scales = [info for name, info in header.tensors.items() if _is_scale(name, header)]
    if scales:
        size = sum(info.nbytes for info in scales)
        notes.append(
            f"{count(len(scales), 'tensor')} stored as int8 rows; their scales ({size:,} bytes) "
            "count as bytes, not as parameters"
        )
    if config.get("sinusoidal_pos_embds"):
        notes.append("the position embeddings are computed (sinusoidal), not trained")
    return tuple(notes)
