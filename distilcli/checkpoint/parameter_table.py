"""What a model is made of: its tensors grouped by module or by layer, with BERT-base beside them.

Everything follows from names, types and shapes, so a header is enough. BERT-base's numbers are
not stored but counted by the same code, over the tensors that its architecture implies.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from distilcli.checkpoint.safetensors_header import CheckpointHeader

Grouping = Literal["module", "layer", "tensor"]

SCALE_SUFFIX = "_scale"
"""`X.weight` stored as int8 rows has its scales, one a row, in `X.weight_scale`."""

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
# DistilBERT's names first, BERT's beside them.
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

_PREFIX = re.compile(r"(?:distilbert|bert)\.")
_IN_LAYER = re.compile(r"(?:transformer|encoder)\.layer\.(\d+)\.(.+)")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tensor belongs: its module, and its layer if it is in one."""

    module: str
    layer: int | None = None

    def label(self, by: Literal["module", "layer"]) -> str:
        """Return the name of the line it is counted in."""
        if by == "module":
            return self.module
        return self.module.partition(".")[0] if self.layer is None else f"layer.{self.layer}"

    @property
    def order(self) -> tuple[int, int, int]:
        """Sorts places as the forward pass meets them: embeddings, layers, pooler, heads."""
        rank = _FORWARD.index(self.module) if self.module in _FORWARD else len(_FORWARD)
        if self.layer is not None:
            return (1, self.layer, rank)
        return (0 if self.module.startswith("embeddings.") else 2, 0, rank)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One tensor: where it belongs, what it stores, and what of that is learned."""

    name: str
    place: Place
    dtype: str
    bytes: int
    parameters: int
    trainable: int


@dataclass(frozen=True, slots=True)
class Part:
    """One line of the table; `bert_base` is the same group's parameters there, if it can be said.

    `parameters` leaves out what is stored but not learned (buffers, scales, second copies);
    `bytes` is all that is stored.
    """

    name: str
    parameters: int
    trainable: int
    dtype: str
    bytes: int
    bert_base: int | None

    @property
    def ratio(self) -> float | None:
        """Its parameters as a share of BERT-base's; None where BERT-base has none."""
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
class Anatomy:
    """The parts of a model in the order of its forward pass, their sum, and what to know of it."""

    parts: tuple[Part, ...]
    total: Part
    notes: tuple[str, ...]


def without_prefix(name: str) -> str:
    """Return a tensor's name without the model's own prefix, which headless checkpoints lack."""
    return _PREFIX.sub("", name, count=1) if _PREFIX.match(name) else name


def place_of(name: str) -> Place:
    """Return the place of the tensor `name` in a DistilBERT or BERT; the unknown is a head's."""
    bare = without_prefix(name)
    module = bare.rpartition(".")[0]
    if match := _IN_LAYER.fullmatch(module):
        layer, inside = match.groups()
        return Place(_LAYER.get(inside, f"other.{inside}"), int(layer))
    if module.startswith("embeddings."):
        inside = module.removeprefix("embeddings.")
        return Place(_EMBEDDINGS.get(inside, f"embeddings.{inside}"))
    if module == "embeddings":
        return Place("embeddings.buffers")
    if module.startswith("pooler"):
        return Place("pooler")
    return Place(f"head.{module or bare}")


def dissect(
    header: CheckpointHeader, config: Mapping[str, Any], *, by: Grouping = "module"
) -> Anatomy:
    """Group the tensors of a checkpoint, with BERT-base's beside them.

    `config` is its config.json: it says whether the output words are the input words
    (`tie_weights_`, `tie_word_embeddings`) and whether positions are computed, not learned
    (`sinusoidal_pos_embds`).
    """
    leaves = _leaves(header, config)
    reference = bert_base()
    total = _sum_up("total", leaves, sum(reference.values()))
    if by == "tensor":
        # Another model's tensors have other names: there is nothing to put beside them.
        parts = [_sum_up(leaf.name, [leaf], None) for leaf in leaves]
    else:
        places = sorted([*(leaf.place for leaf in leaves), *reference], key=lambda at: at.order)
        parts = [
            _sum_up(
                label,
                [leaf for leaf in leaves if leaf.place.label(by) == label],
                sum(count for place, count in reference.items() if place.label(by) == label),
            )
            for label in dict.fromkeys(place.label(by) for place in places)
        ]
    return Anatomy(tuple(parts), total, _notes(header, config))


def bert_base() -> dict[Place, int]:
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
        Place("embeddings.word"): vocab * dim,
        Place("embeddings.position"): positions * dim,
        Place("embeddings.token_type"): types * dim,
        Place("embeddings.norm"): norm,
        **{Place(name, at): count for at in range(layers) for name, count in inside.items()},
        Place("pooler"): square,
    }


def _leaves(header: CheckpointHeader, config: Mapping[str, Any]) -> list[Leaf]:
    """Return the tensors in the order of the forward pass, each with what of it is learned."""
    copies, sinusoidal = _second_copies(header, config), bool(config.get("sinusoidal_pos_embds"))
    leaves = []
    for name, info in header.tensors.items():
        place = place_of(name)
        stored_only = name in copies or _is_buffer(name) or _is_scale(name, header)
        parameters = 0 if stored_only else info.numel
        computed = sinusoidal and place.module == "embeddings.position"
        trainable = 0 if computed else parameters
        leaves.append(Leaf(name, place, info.dtype, info.nbytes, parameters, trainable))
    return sorted(leaves, key=lambda leaf: (leaf.place.order, leaf.name))


def _is_buffer(name: str) -> bool:
    return name.rpartition(".")[2] in _BUFFERS


def _is_scale(name: str, header: CheckpointHeader) -> bool:
    packed = header.tensors.get(name.removesuffix(SCALE_SUFFIX))
    return name.endswith(SCALE_SUFFIX) and packed is not None and packed.dtype == "I8"


def _second_copies(header: CheckpointHeader, config: Mapping[str, Any]) -> dict[str, str]:
    """Return the tensors that repeat another one by decree of the configuration."""
    if not (config.get("tie_weights_", True) and config.get("tie_word_embeddings", True)):
        return {}
    bare = {without_prefix(name): info for name, info in header.tensors.items()}
    return {
        copy: bare[original].name
        for copy, original in _SAME_IF_TIED.items()
        if copy in bare and original in bare and bare[copy].shape == bare[original].shape
    }


def _sum_up(name: str, leaves: Sequence[Leaf], reference: int | None) -> Part:
    return Part(
        name=name,
        parameters=sum(leaf.parameters for leaf in leaves),
        trainable=sum(leaf.trainable for leaf in leaves),
        dtype="+".join(sorted({leaf.dtype for leaf in leaves})),
        bytes=sum(leaf.bytes for leaf in leaves),
        bert_base=reference,
    )


def _notes(header: CheckpointHeader, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Say what is stored but not counted."""
    notes = [
        f"{copy} is tied to {original}: stored twice, counted once"
        for copy, original in _second_copies(header, config).items()
    ]
    notes += [f"{name} is a buffer, not a parameter" for name in header.tensors if _is_buffer(name)]
    scales = [info for name, info in header.tensors.items() if _is_scale(name, header)]
    if scales:
        size = sum(info.nbytes for info in scales)
        notes.append(
            f"stored as int8 rows: {len(scales)} tensor(s); their scales ({size:,} bytes) are "
            "counted as bytes, not as parameters"
        )
    if config.get("sinusoidal_pos_embds"):
        notes.append("the position embeddings are computed (sinusoidal), not trained")
    return tuple(notes)
