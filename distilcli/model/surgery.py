"""Changes to a model's architecture: sizes, heads, layers, vocabulary, BERT to DistilBERT.

A changed model has new parameters, so build its optimizer afterwards.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distilcli.checkpoint.config import ModelConfig
from distilcli.errors import ModelError, UsageError
from distilcli.model.attention import SelfAttention
from distilcli.model.embeddings import sinusoidal_positions
from distilcli.model.heads import MaskedLanguageModel, TaskModel
from distilcli.model.keys import PREFIX

_LAYERS = f"{PREFIX}transformer.layer."
_LAYER = re.compile(re.escape(_LAYERS) + r"(\d+)")

Growth = Literal["copy", "interpolate"]


def resize_positions(model: TaskModel, n_positions: int, how: Growth = "copy") -> None:
    """Change the longest text that `model` reads to `n_positions` tokens.

    Fewer positions are the first ones. More are made from the P learned ones:

    - copy: the old ones stay, and new position p is a copy of position p modulo P;
    - interpolate: the old table is stretched linearly, so that new position p lies at
      p·(P-1)/(n_positions-1) of the old ones; the first and the last stay.

    Sinusoidal positions are recomputed. The tokenizer's files have a limit of their own, which
    `save_model` can set. Raises `UsageError` for fewer than one position or another `how`.
    """
    if how not in get_args(Growth):
        raise UsageError(
            f"`position_growth` {how!r} is unknown; take one of {', '.join(get_args(Growth))}"
        )
    if n_positions < 1:
        raise UsageError(f"a model of {n_positions} positions reads nothing; use at least 1")
    embeddings = model.distilbert.embeddings
    old = embeddings.position_embeddings.weight
    if model.config.sinusoidal_pos_embds:
        table = sinusoidal_positions(n_positions, old.shape[1]).to(old)
    elif n_positions <= len(old):
        table = old[:n_positions]
    elif how == "copy":
        table = old[torch.arange(n_positions, device=old.device) % len(old)]
    else:
        table = F.interpolate(old.T[None], size=n_positions, mode="linear", align_corners=True)[0].T
    resized = nn.Embedding(n_positions, old.shape[1], _weight=table.detach().clone())
    embeddings.position_embeddings = resized.requires_grad_(old.requires_grad)
    _set_config(model, replace(model.config, max_position_embeddings=n_positions))


@torch.no_grad()
def grow_vocabulary(model: TaskModel, first: int, pieces: Sequence[Sequence[int]]) -> None:
    """Let `model` read new tokens, whose ids follow from `first`.

    The vector of each is the mean of those of the old ids in `pieces`; so is what a masked
    language model has for it in a table of its own and in its bias.
    """
    embeddings = model.distilbert.embeddings.word_embeddings
    size = max(embeddings.num_embeddings, first + len(pieces))

    def grown(table: Tensor) -> Tensor:
        found = table.new_zeros(size, *table.shape[1:])
        found[: len(table)] = table
        for number, ids in enumerate(pieces):
            found[first + number] = table[list(ids)].mean(dim=0)
        return found

    embeddings.weight = nn.Parameter(grown(embeddings.weight))
    embeddings.num_embeddings = size
    if isinstance(model, MaskedLanguageModel):
        projector = model.vocab_projector
        projector.bias = nn.Parameter(grown(projector.bias))
        if projector.weight is not None:
            projector.weight = nn.Parameter(grown(projector.weight))
    _set_config(model, replace(model.config, vocab_size=size))


def parse_heads(specs: Iterable[str]) -> dict[int, tuple[int, ...]]:
    """Parse specs such as `0:1,3`, heads 1 and 3 of layer 0, into heads by layer.

    Raises `UsageError` for another form.
    """
    heads: dict[int, tuple[int, ...]] = {}
    for spec in specs:
        if not (match := re.fullmatch(r"(\d{1,4}):(\d{1,4}(?:,\d{1,4})*)", spec)):
            raise UsageError(f"`prune_heads` {spec!r}: write LAYER:HEAD,HEAD such as 0:1,3")
        layer = int(match[1])
        heads[layer] = (*heads.get(layer, ()), *map(int, match[2].split(",")))
    return heads


def prune_heads(model: TaskModel, heads: Mapping[int, Iterable[int]]) -> None:
    """Remove attention heads, given by layer; both count from 0, as before any pruning.

    The model then computes what it would with those heads silent, with fewer weights. Heads that
    are already pruned are ignored. Raises `UsageError`, and prunes nothing, for a layer or a head
    that never existed, or if a layer would be left without heads.
    """
    config = model.config
    pruned = dict(config.pruned_heads)
    for layer, indices in heads.items():
        gone = {*pruned.get(layer, ()), *indices}
        if layer not in range(config.n_layers) or not gone <= {*range(config.n_heads)}:
            raise UsageError(
                f"`prune_heads`: layer {layer} has no heads {sorted(gone)}; the model has "
                f"{config.n_layers} layers of {config.n_heads} heads, counted from 0"
            )
        if len(gone) == config.n_heads:
            raise UsageError(
                f"`prune_heads`: {sorted(gone)} leaves layer {layer} none; keep at least one"
            )
        if gone:
            pruned[layer] = tuple(sorted(gone))
    _set_config(model, replace(config, pruned_heads=pruned))
    for layer in heads:
        block = model.distilbert.transformer.blocks[layer]
        _keep(block.attention, model.config.heads_of(layer))


def prune_neurons(model: TaskModel, kept: Sequence[Sequence[int]]) -> None:
    """Keep only these feed-forward neurons of each layer, by their indices, in this order.

    The model then computes what it would with the others silent. Raises `ValueError` unless every
    layer keeps the same number: a configuration has one `hidden_dim` for all layers.
    """
    widths = {len(neurons) for neurons in kept}
    if len(kept) != model.config.n_layers or len(widths) != 1:
        raise ValueError("every layer must keep the same number of neurons")
    for block, neurons in zip(model.distilbert.transformer.blocks, kept, strict=True):
        first, second, indices = block.ffn.lin1, block.ffn.lin2, list(neurons)
        first.weight, first.bias = _select(first.weight, indices), _select(first.bias, indices)
        first.out_features = len(indices)
        second.weight = _select(second.weight, indices, dim=1)
        second.in_features = len(indices)
    _set_config(model, replace(model.config, hidden_dim=widths.pop()))


def prune_vocabulary(model: TaskModel, kept: Sequence[int]) -> None:
    """Keep only the tokens with these ids; the first of them becomes token 0, and so on.

    Raises `ValueError` if the padding is not among them.
    """
    ids, config = list(kept), model.config
    words = model.distilbert.embeddings.word_embeddings
    words.weight = _select(words.weight, ids)
    words.num_embeddings = len(ids)
    words.padding_idx = ids.index(config.pad_token_id)
    if isinstance(model, MaskedLanguageModel):
        projector = model.vocab_projector
        projector.bias = _select(projector.bias, ids)
        if projector.weight is not None:
            projector.weight = _select(projector.weight, ids)
    _set_config(model, replace(config, vocab_size=len(ids), pad_token_id=words.padding_idx))


def fold_token_types(
    config: ModelConfig, weights: dict[str, Tensor]
) -> tuple[ModelConfig, dict[str, Tensor]]:
    """Turn a BERT encoder into the DistilBERT with the same hidden states for one segment.

    Row 0 of the token-type table is added to every position; the pooler is dropped.
    """
    key = f"{PREFIX}embeddings.token_type_embeddings.weight"
    if key not in weights:
        raise ModelError("no token types to fold; the model is a DistilBERT already")
    if config.layer_norm_eps != ModelConfig().layer_norm_eps:
        raise ModelError(
            f"layer_norm_eps is {config.layer_norm_eps:g}, in a DistilBERT it is "
            f"{ModelConfig().layer_norm_eps:g}; the model cannot be folded into one"
        )
    folded = {
        name: weight for name, weight in weights.items() if name != key and ".pooler." not in name
    }
    positions = f"{PREFIX}embeddings.position_embeddings.weight"
    folded[positions] = weights[positions] + weights[key][0]
    shape = replace(
        config, model_type="distilbert", type_vocab_size=0, classifier_dropout=0.2, extra={}
    )
    return shape, folded


def take_layers(
    config: ModelConfig, weights: dict[str, Tensor], layers: Sequence[int]
) -> tuple[ModelConfig, dict[str, Tensor]]:
    """Return the model with these of an encoder's layers, in this order, counted from 0.

    A head's weights stay. Raises `UsageError` for a layer that does not exist.
    """
    if missing := [layer for layer in layers if not 0 <= layer < config.n_layers]:
        raise UsageError(
            f"`student_layers`: no layer {missing[0]}; the model has layers 0 to "
            f"{config.n_layers - 1}"
        )
    taken: dict[str, Tensor] = {}
    for name, weight in weights.items():
        match = _LAYER.match(name)
        if match is None:
            taken[name] = weight
            continue
        for index, layer in enumerate(layers):
            if int(match[1]) == layer:
                # A copy: a layer that is taken twice becomes two that learn apart.
                taken[f"{_LAYERS}{index}{name[match.end() :]}"] = weight.clone()
    pruned = {
        index: config.pruned_heads[layer]
        for index, layer in enumerate(layers)
        if layer in config.pruned_heads
    }
    return replace(config, n_layers=len(layers), pruned_heads=pruned), taken


def spread_layers(n_student: int, n_teacher: int) -> tuple[int, ...]:
    """Choose `n_student` of a teacher's layers, spread evenly from the first to the last.

    Six of twelve are 0, 2, 4, 7, 9, 11, as for DistilBERT (Sanh et al. 2019).
    """
    if n_student == 1:
        return (0,)
    step = (n_teacher - 1) / (n_student - 1)
    return tuple(math.floor(index * step + 0.5) for index in range(n_student))


def _keep(attention: SelfAttention, heads: tuple[int, ...]) -> None:
    """Keep only these heads of `attention`: rows of q, k and v, columns of the output."""
    size = attention.head_dim
    rows = [attention.heads.index(head) * size + row for head in heads for row in range(size)]
    for linear in (attention.q_lin, attention.k_lin, attention.v_lin):
        linear.weight = _select(linear.weight, rows)
        linear.bias = _select(linear.bias, rows)
        linear.out_features = len(rows)
    attention.out_lin.weight = _select(attention.out_lin.weight, rows, dim=1)
    attention.out_lin.in_features = len(rows)
    attention.heads = heads


def _select(weight: Tensor, indices: list[int], *, dim: int = 0) -> nn.Parameter:
    index = torch.tensor(indices, device=weight.device)
    return nn.Parameter(weight.detach().index_select(dim, index), weight.requires_grad)


def _set_config(model: TaskModel, config: ModelConfig) -> None:
    model.config = model.distilbert.config = config
