"""`config.json` of DistilBERT and BERT, read into one set of names and written back.

DistilBERT's names are used throughout (`dim`, `n_layers`, `n_heads`, `hidden_dim`); BERT's are
translated on reading and writing. Keys that this package does not interpret are kept.
"""

import math
import re
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Literal

from distilcli.checkpoint.abstention import KEY as ABSTENTION
from distilcli.checkpoint.abstention import Abstention, parse_abstention
from distilcli.checkpoint.json_file import JsonObject, read_object, shown
from distilcli.errors import ModelError

ModelType = Literal["distilbert", "bert"]

TEMPERATURE = "calibration_temperature"
"""The key of the divisor of a classifier's logits.

`transformers` uses a bare `temperature` for generating text, and drops it from other models.
"""
NO_ANSWER_THRESHOLD = "no_answer_threshold"

_SHARED_KEYS = (
    *("vocab_size", "max_position_embeddings", "initializer_range", "pad_token_id"),
    *("chunk_size_feed_forward", "tie_word_embeddings"),
)
_DISTILBERT_KEYS = (
    *("dim", "n_layers", "n_heads", "hidden_dim", "activation", "dropout", "attention_dropout"),
    *("sinusoidal_pos_embds", "qa_dropout"),
)
# our name -> the key in config.json
_KEYS: dict[ModelType, dict[str, str]] = {
    "distilbert": {
        **{key: key for key in _SHARED_KEYS + _DISTILBERT_KEYS},
        "classifier_dropout": "seq_classif_dropout",
    },
    "bert": {
        **{key: key for key in _SHARED_KEYS},
        "dim": "hidden_size",
        "n_layers": "num_hidden_layers",
        "n_heads": "num_attention_heads",
        "hidden_dim": "intermediate_size",
        "activation": "hidden_act",
        "dropout": "hidden_dropout_prob",
        "attention_dropout": "attention_probs_dropout_prob",
        "type_vocab_size": "type_vocab_size",
        "layer_norm_eps": "layer_norm_eps",
        "classifier_dropout": "classifier_dropout",
    },
}
# `transformers` reads these under BERT's names too.
_ALIASED = ("dim", "n_layers", "n_heads")
# The settings of a decoder, which masks what follows a token or attends to another text.
_DECODER_KEYS = ("is_decoder", "add_cross_attention", "is_encoder_decoder")
# How weights are stored concerns the checkpoint, not the model.
_STORAGE_KEYS = {"dtype", "torch_dtype", "shared_weights"}
_LARGEST = 2**31 - 1
_MOST_LABELS = 1_000_000
_LABEL_KEYS = {"id2label", "label2id", "num_labels", "problem_type"}
_OWN_KEYS = {"pruned_heads", TEMPERATURE, ABSTENTION, NO_ANSWER_THRESHOLD}
_PROBLEM_TYPES = (
    "single_label_classification",
    "multi_label_classification",
    "regression",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """The shape and the settings of one model; the defaults are DistilBERT-base's.

    `type_vocab_size` is 0 without token-type embeddings. `labels` are in the order of the
    classifier's outputs, empty without a classification head. `temperature` divides a
    classifier's logits; it is 1 unless calibrated. `abstention` is the score below which a label is
    not given. A question whose score of "no answer" is above `no_answer_threshold` gets none;
    without, it always gets one. `pruned_heads` are the removed attention heads of layers, by their
    original indices. `extra` holds keys of `config.json` not interpreted here.
    """

    model_type: ModelType = "distilbert"
    vocab_size: int = 30_522
    max_position_embeddings: int = 512
    dim: int = 768
    n_layers: int = 6
    n_heads: int = 12
    hidden_dim: int = 3_072
    activation: str = "gelu"
    dropout: float = 0.1
    attention_dropout: float = 0.1
    classifier_dropout: float | None = 0.2
    qa_dropout: float = 0.1
    sinusoidal_pos_embds: bool = False
    type_vocab_size: int = 0
    layer_norm_eps: float = 1e-12
    initializer_range: float = 0.02
    pad_token_id: int = 0
    chunk_size_feed_forward: int = 0
    tie_word_embeddings: bool = True
    labels: tuple[str, ...] = ()
    problem_type: str | None = None
    temperature: float = 1.0
    abstention: Abstention | None = None
    no_answer_threshold: float | None = None
    pruned_heads: dict[int, tuple[int, ...]] = field(default_factory=dict)
    extra: JsonObject = field(default_factory=dict)

    def heads_of(self, layer: int) -> tuple[int, ...]:
        """Return the original indices of the heads that `layer` still has."""
        pruned = self.pruned_heads.get(layer, ())
        return tuple(head for head in range(self.n_heads) if head not in pruned)

    def with_labels(self, labels: tuple[str, ...], *, problem_type: str) -> "ModelConfig":
        """Return the same body with another classification head, not calibrated."""
        return replace(self.uncalibrated(), labels=labels, problem_type=problem_type)

    def uncalibrated(self) -> "ModelConfig":
        """Return the same without what was found out about the scores of its head."""
        return replace(self, temperature=1.0, abstention=None)


def key_of(setting: str, model_type: ModelType) -> str:
    """Return the key in `config.json` of a field of `ModelConfig`."""
    return _KEYS[model_type][setting]


def read_config(path: Path) -> ModelConfig:
    """Read `config.json`; raise `ModelError` naming the file and the wrong key."""
    return parse_config(read_object(path), source=str(path))


def parse_config(raw: JsonObject, *, source: str = "config.json") -> ModelConfig:
    """Turn the content of a `config.json` into a `ModelConfig`; `source` names it in errors."""
    model_type = _model_type(raw, source)
    keys = _KEYS[model_type]
    if model_type == "distilbert":
        raw = _without_aliases(raw, source)
    settings = {ours: raw[key] for ours, key in keys.items() if raw.get(key) is not None}
    if model_type == "bert":
        settings.setdefault("n_layers", 12)
        settings.setdefault("type_vocab_size", 2)
        settings.setdefault("classifier_dropout", None)
        _refuse_other_attention(raw, source)
    known = {*keys.values(), *_LABEL_KEYS, *_STORAGE_KEYS, *_OWN_KEYS, "model_type"}
    config = ModelConfig(
        model_type=model_type,
        **settings,
        labels=_labels(raw, source),
        problem_type=_problem_type(raw, source),
        temperature=_temperature(raw, source),
        abstention=parse_abstention(raw, source),
        no_answer_threshold=_no_answer_threshold(raw, source),
        extra={key: value for key, value in raw.items() if key not in known},
    )
    _check_values(config, keys, source)
    return replace(config, pruned_heads=_pruned_heads(raw, config, source))


def dump_config(config: ModelConfig) -> JsonObject:
    """Return the content of `config.json` for `config`, in the names of its `model_type`."""
    raw: JsonObject = {"model_type": config.model_type, **config.extra}
    for ours, key in _KEYS[config.model_type].items():
        raw[key] = getattr(config, ours)
    if config.labels:
        raw["id2label"] = {str(index): label for index, label in enumerate(config.labels)}
        raw["label2id"] = {label: index for index, label in enumerate(config.labels)}
    if config.problem_type is not None:
        raw["problem_type"] = config.problem_type
    if config.temperature != 1:
        raw[TEMPERATURE] = config.temperature
    if config.abstention is not None:
        raw[ABSTENTION] = config.abstention.as_json()
    if config.no_answer_threshold is not None:
        raw[NO_ANSWER_THRESHOLD] = config.no_answer_threshold
    if config.pruned_heads:
        raw["pruned_heads"] = {
            str(layer): list(heads) for layer, heads in sorted(config.pruned_heads.items())
        }
    return raw


def _model_type(raw: JsonObject, source: str) -> ModelType:
    """Return the type of a model, from its architecture if `model_type` is missing."""
    found = raw.get("model_type")
    if found is None and isinstance(names := raw.get("architectures"), list):
        for name, model_type in (("DistilBert", "distilbert"), ("Bert", "bert")):
            # Not BertGenerationDecoder and the like, which have types of their own.
            if any(re.fullmatch(rf"{name}(Model|For\w+|LMHeadModel)", str(n)) for n in names):
                found = model_type
    for known in _KEYS:
        if found == known:
            return known
    raise ModelError(
        f"{source}: model_type is {shown(found)}; only 'distilbert' and 'bert' are supported"
    )


def _without_aliases(raw: JsonObject, source: str) -> JsonObject:
    """Return a DistilBERT's config with its sizes under DistilBERT's own names."""
    renamed = dict(raw)
    for key in _ALIASED:
        alias = _KEYS["bert"][key]
        value = renamed.pop(alias, None)
        if value is not None and renamed.setdefault(key, value) != value:
            raise ModelError(
                f"{source}: {key} is {shown(raw[key])} and {alias}, its other name, "
                f"{shown(value)}; remove one of them"
            )
    return renamed


def _refuse_other_attention(raw: JsonObject, source: str) -> None:
    """Refuse settings under which a BERT computes other numbers than here."""
    kind = raw.get("position_embedding_type", "absolute")
    if kind != "absolute":
        raise ModelError(
            f"{source}: position_embedding_type is {shown(kind)}; only 'absolute' is supported"
        )
    for key in _DECODER_KEYS:
        if raw.get(key):
            raise ModelError(f"{source}: {key} is {shown(raw[key])}; only encoders are supported")


def _labels(raw: JsonObject, source: str) -> tuple[str, ...]:
    id2label = raw.get("id2label")
    if id2label is None and not raw.get("label2id"):
        count = raw.get("num_labels", 0)
        if type(count) is not int or not 0 <= count <= _MOST_LABELS:
            raise ModelError(
                f"{source}: num_labels is {shown(count)}; it must be a whole number up to "
                f"{_MOST_LABELS:,}"
            )
        return tuple(f"LABEL_{index}" for index in range(count))
    try:
        if id2label is None:
            id2label = {index: label for label, index in raw["label2id"].items()}
        by_index = {int(index): str(label) for index, label in id2label.items()}
    except (AttributeError, TypeError, ValueError, OverflowError, RecursionError):
        raise ModelError(f"{source}: id2label must map numbers to label names") from None
    if sorted(by_index) != list(range(len(by_index))):
        raise ModelError(f"{source}: id2label must number the labels 0, 1, 2, … without gaps")
    return tuple(by_index[index] for index in range(len(by_index)))


def _pruned_heads(raw: JsonObject, config: ModelConfig, source: str) -> dict[int, tuple[int, ...]]:
    """Read pruned heads, {"layer": [head, …]}; a layer keeps at least one."""
    try:
        pruned = {
            int(layer): tuple(sorted({int(head) for head in heads}))
            for layer, heads in (raw.get("pruned_heads") or {}).items()
        }
    except (AttributeError, TypeError, ValueError, OverflowError):
        raise ModelError(f"{source}: pruned_heads must map layers to lists of heads") from None
    for layer, heads in pruned.items():
        if not 0 <= layer < config.n_layers or any(not 0 <= h < config.n_heads for h in heads):
            raise ModelError(
                f"{source}: pruned_heads names heads {list(heads)} of layer {layer}; there are "
                f"{config.n_layers} layers of {config.n_heads} heads, numbered from 0"
            )
        if len(heads) == config.n_heads:
            raise ModelError(f"{source}: pruned_heads leaves layer {layer} without heads")
    return {layer: heads for layer, heads in pruned.items() if heads}


def _problem_type(raw: JsonObject, source: str) -> str | None:
    problem_type: str | None = raw.get("problem_type")
    if problem_type is not None and problem_type not in _PROBLEM_TYPES:
        raise ModelError(
            f"{source}: problem_type is {shown(problem_type)}; "
            f"use one of {', '.join(_PROBLEM_TYPES)}"
        )
    return problem_type


def _temperature(raw: JsonObject, source: str) -> float:
    temperature = raw.get(TEMPERATURE)
    if temperature is None:
        return 1.0
    is_number = isinstance(temperature, int | float) and not isinstance(temperature, bool)
    if not is_number or not 0 < temperature < math.inf:
        raise ModelError(f"{source}: {TEMPERATURE} is {shown(temperature)}; it must be above 0")
    return float(temperature)


def _no_answer_threshold(raw: JsonObject, source: str) -> float | None:
    threshold = raw.get(NO_ANSWER_THRESHOLD)
    if threshold is None:
        return None
    is_number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
    if not is_number or not 0 <= threshold <= 1:
        raise ModelError(
            f"{source}: {NO_ANSWER_THRESHOLD} is {shown(threshold)}; it must be from 0 to 1"
        )
    return float(threshold)


def _check_values(config: ModelConfig, keys: dict[str, str], source: str) -> None:
    defaults = {field.name: field.default for field in fields(ModelConfig)}
    for ours, key in keys.items():
        value = getattr(config, ours)
        if ours == "classifier_dropout" and value is None:
            continue
        if rule := _broken_rule(value, defaults[ours], is_share=ours.endswith("dropout")):
            raise ModelError(f"{source}: {key} is {shown(value)}; it must {rule}")
    for ours in ("vocab_size", "max_position_embeddings", "dim", "n_heads", "hidden_dim"):
        if getattr(config, ours) == 0:
            raise ModelError(f"{source}: {keys[ours]} is 0; it must be at least 1")
    if config.pad_token_id >= config.vocab_size:
        raise ModelError(
            f"{source}: pad_token_id is {config.pad_token_id}, outside the vocabulary of "
            f"{config.vocab_size} tokens"
        )
    if config.dim % config.n_heads:
        raise ModelError(
            f"{source}: {keys['dim']} {config.dim} does not divide into "
            f"{keys['n_heads']} {config.n_heads} heads"
        )


_NAMES = {bool: "true or false", int: "a whole number", float: "a number"}


def _broken_rule(value: object, default: object, *, is_share: bool) -> str | None:
    """Return the rule that a value breaks; None if it has the type of `default` and is in range."""
    expected = (float, int) if isinstance(default, float) else type(default)
    if not isinstance(value, expected) or isinstance(value, bool) is not isinstance(default, bool):
        return f"be {_NAMES.get(type(default), 'a text')}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not value >= 0:  # NaN too
        return "not be negative"
    if not value <= _LARGEST:
        return f"be at most {_LARGEST:,}"
    return "be between 0 and 1" if is_share and value > 1 else None
