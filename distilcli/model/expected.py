"""The weights that a configuration asks for, by name and shape. Free of torch.

Names are those of this package (`keys.py`). A configuration may ask for any number of layers, so
weights are yielded one by one, and sizes are compared before a model is built.
"""

import re
from collections.abc import Iterator, Mapping

from distilcli.checkpoint.config import ModelConfig, key_of
from distilcli.checkpoint.folder import ModelFiles
from distilcli.checkpoint.json_file import check_file
from distilcli.checkpoint.parameter_table import wrapper_of
from distilcli.checkpoint.safetensors_header import CheckpointHeader, read_checkpoint_header
from distilcli.errors import ModelError
from distilcli.model.keys import OUTPUT_TABLE, PREFIX, to_checkpoint, to_ours

Shape = tuple[int, ...]

_WORDS = f"{PREFIX}embeddings.word_embeddings.weight"
_POSITIONS = f"{PREFIX}embeddings.position_embeddings.weight"
_TYPES = f"{PREFIX}embeddings.token_type_embeddings.weight"
_LAYERS = f"{PREFIX}transformer.layer."
_LAYER = re.compile(rf"{re.escape(_LAYERS)}(\d{{1,9}})\.")
# The sizes in a configuration, each with a weight and the dimension that has this size.
_SIZES = (
    ("vocab_size", _WORDS, 0),
    ("dim", _WORDS, 1),
    ("max_position_embeddings", _POSITIONS, 0),
    ("type_vocab_size", _TYPES, 0),
    ("hidden_dim", f"{_LAYERS}0.ffn.lin1.weight", 0),
)


def encoder_shapes(config: ModelConfig) -> Iterator[tuple[str, Shape]]:
    """Yield the weights of an encoder without BERT's pooler."""
    dim, hidden = config.dim, config.hidden_dim
    yield _WORDS, (config.vocab_size, dim)
    yield _POSITIONS, (config.max_position_embeddings, dim)
    if config.type_vocab_size:
        yield _TYPES, (config.type_vocab_size, dim)
    yield from _norm(f"{PREFIX}embeddings.LayerNorm", dim)
    for layer in range(config.n_layers):
        block = f"{_LAYERS}{layer}."
        width = len(config.heads_of(layer)) * (dim // config.n_heads)
        for part in ("q_lin", "k_lin", "v_lin"):
            yield from _linear(f"{block}attention.{part}", dim, width)
        yield from _linear(f"{block}attention.out_lin", width, dim)
        yield from _norm(f"{block}sa_layer_norm", dim)
        yield from _linear(f"{block}ffn.lin1", dim, hidden)
        yield from _linear(f"{block}ffn.lin2", hidden, dim)
        yield from _norm(f"{block}output_layer_norm", dim)


def head_shapes(config: ModelConfig, architecture: str, *, labels: int) -> dict[str, Shape]:
    """Return the weights of the head that an architecture names, if it is one of ours."""
    dim = config.dim
    if architecture.endswith(("ForSequenceClassification", "ForMultipleChoice")):
        outputs = labels if architecture.endswith("ForSequenceClassification") else 1
        pooled = f"{PREFIX}pooler.dense" if config.model_type == "bert" else "pre_classifier"
        return dict((*_linear(pooled, dim, dim), *_linear("classifier", dim, outputs)))
    if architecture.endswith("ForTokenClassification"):
        return dict(_linear("classifier", dim, labels))
    if architecture.endswith("ForQuestionAnswering"):
        return dict(_linear("qa_outputs", dim, 2))
    if not architecture.endswith("ForMaskedLM"):
        return {}
    words = config.vocab_size
    head = dict((*_linear("vocab_transform", dim, dim), *_norm("vocab_layer_norm", dim)))
    head["vocab_projector.bias"] = (words,)
    return head if config.tie_word_embeddings else {**head, OUTPUT_TABLE: (words, dim)}


def _linear(name: str, inputs: int, outputs: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def _norm(name: str, dim: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (dim,)
    yield f"{name}.bias", (dim,)


def shapes_of(header: CheckpointHeader) -> dict[str, Shape]:
    """Return the shapes of the weights in a checkpoint's header."""
    wrapper = max(map(wrapper_of, header.tensors), default="")
    named = {to_ours(key.removeprefix(wrapper)): info for key, info in header.tensors.items()}
    return {name: info.shape for name, info in named.items() if name is not None}


def check_sizes(config: ModelConfig, shapes: Mapping[str, Shape], *, source: str) -> None:
    """Raise `ModelError` if a configuration asks for larger tables or more layers than there are.

    Without this check, a wrong number could ask for all memory, or for hours.
    """
    layers = (int(found[1]) for name in shapes if (found := _LAYER.match(name)))
    sizes = {"n_layers": 1 + max(layers, default=-1)}
    for setting, name, dimension in _SIZES:
        if name in shapes:
            sizes[setting] = (*shapes[name], 0, 0)[dimension]
        elif getattr(config, setting) and (sizes["n_layers"] or not name.startswith(_LAYERS)):
            missing = to_checkpoint(name, config.model_type)
            raise misfit(source, f"missing: {missing}")
    for setting, size in sizes.items():
        asked = getattr(config, setting)
        if asked > size:
            key = key_of(setting, config.model_type)
            raise misfit(source, f"its {key} is {asked:,}, but the weights have {size:,}")


def misfit(source: str, faults: str) -> ModelError:
    """Return the error for weights of a different model from the one in config.json."""
    return ModelError(
        f"{source}: the weights do not fit config.json; {faults}; "
        "use the config.json that belongs to these weights"
    )


def check_headers(config: ModelConfig, files: ModelFiles) -> None:
    """Check the sizes of a located model, as far as they can be told without reading its weights.

    Raises `ModelError`, also for a damaged header and an absurdly large tokenizer. A pickle is
    checked when it is read.
    """
    for path in files.tokenizer_files:
        check_file(path)
    if all(path.suffix != ".bin" for path in files.weight_files):
        shapes = shapes_of(read_checkpoint_header(files.weight_files))
        check_sizes(config, shapes, source=files.name)
