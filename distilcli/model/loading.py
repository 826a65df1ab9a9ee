"""Load models from their files: the encoder with a head.

Nothing is left random silently: a missing, misshapen or foreign weight is an error that names it,
and so is a head without trained weights.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from distilcli.checkpoint.config import ModelConfig, read_config
from distilcli.checkpoint.folder import ModelFiles
from distilcli.errors import HeadError, ModelError, ResourceError
from distilcli.memory import is_allocation_failure
from distilcli.model.expected import check_sizes, misfit
from distilcli.model.heads import HEADS, TaskModel
from distilcli.model.keys import OUTPUT_TABLE, PREFIX, to_checkpoint
from distilcli.model.weights import listed, read_weights
from distilcli.tokenizer.tokenizer import Tokenizer

Model = TypeVar("Model", bound=TaskModel)


@dataclass(frozen=True, slots=True)
class LoadedModel(Generic[Model]):
    """A model with its weights, and the checkpoint's keys that it does not use.

    `wrapper` is what a program that wrapped the model put before the names of its weights.
    """

    model: Model
    config: ModelConfig
    unused: tuple[str, ...]
    wrapper: str = ""


def load_model(files: ModelFiles, kind: type[Model]) -> LoadedModel[Model]:
    """Load the encoder of a located model with the head of `kind`, ready for inference.

    Raises `HeadError` if the head was never trained or the checkpoint has another head with the
    same weight names, and `ModelError` if the weights do not fit `config.json`.
    """
    head, config = HEADS[kind], read_config(files.config_path)
    weights, wrapper = read_weights(files)
    check_sizes(config, {name: weight.shape for name, weight in weights.items()}, source=files.name)
    _refuse_other_heads(kind, config, files.name)
    if head.proof is not None and head.proof not in weights:
        raise HeadError(
            f"{files.name}: has no trained {head.name} head; train one with "
            f"`distil finetune --task {head.task} --model {files.name}`"
        )
    if head.proof is not None and head.labelled:
        config = _config_with_labels(config, weights[head.proof].shape[:1].numel(), files.name)
    else:
        config = replace(config, labels=(), problem_type=None)
    if config.tie_word_embeddings:
        weights.pop(OUTPUT_TABLE, None)  # a copy of the word embeddings
    with _Uninitialised():
        model = build_model(kind, config, source=files.name)
    unused = fill(model, weights, source=files.name)
    return LoadedModel(model.eval(), config, unused, wrapper)


def build_model(kind: type[Model], config: ModelConfig, *, source: str) -> Model:
    """Build a model with random weights.

    Raises `ModelError` naming `source` if that fails, `ResourceError` if memory runs out.
    """
    try:
        return kind(config)
    except ModelError as error:
        raise ModelError(f"{source}: {error}") from None
    except (RuntimeError, MemoryError, TypeError) as error:  # torch's ways to say "too large"
        if is_allocation_failure(error):
            raise ResourceError(f"{source}: does not fit in memory; free some memory") from None
        raise ModelError(
            f"{source}: a model of the sizes in config.json does not fit in memory; "
            "use the config.json that belongs to these weights"
        ) from None


def fill(model: TaskModel, weights: dict[str, Tensor], *, source: str) -> tuple[str, ...]:
    """Put `weights` into `model`; return the keys left over, which belong to other heads.

    Keys are returned as checkpoints of the model's family name them. Raises `ModelError` naming
    the weights that are missing, misshapen, or of another architecture (a seventh layer in a model
    of six).
    """
    theirs = partial(to_checkpoint, model_type=model.config.model_type)
    wanted = model.state_dict()
    missing = sorted(wanted.keys() - weights.keys())
    unused = sorted(weights.keys() - wanted.keys())
    misshapen = [
        f"{theirs(key)} {tuple(weights[key].shape)} instead of {tuple(wanted[key].shape)}"
        for key in sorted(wanted.keys() & weights.keys())
        if weights[key].shape != wanted[key].shape
    ]
    foreign = [theirs(key) for key in unused if key.startswith(PREFIX) and ".pooler." not in key]
    faults = [
        f"{kind}: {listed(keys)}"
        for kind, keys in (
            ("missing", [theirs(key) for key in missing]),
            ("of another shape", misshapen),
            ("not in this architecture", foreign),
        )
        if keys
    ]
    if faults:
        raise misfit(source, "; ".join(faults))
    model.load_state_dict({key: weights[key] for key in wanted}, assign=True)
    return tuple(theirs(key) for key in unused)


def check_tokenizer(
    tokenizer: Tokenizer, config: ModelConfig, *, source: str, framing_only: bool = False
) -> None:
    """Raise `ModelError` if the tokenizer has ids for which the model has no embedding.

    With `framing_only`, only the special tokens of every sequence need one.
    """
    largest = max(tokenizer.special) if framing_only else tokenizer.vocab_size - 1
    if largest >= config.vocab_size:
        raise ModelError(
            f"{source}: the tokenizer has {tokenizer.vocab_size} tokens, the model's vocabulary "
            f"{config.vocab_size}; use the tokenizer that belongs to the model"
        )


class _Uninitialised(TorchFunctionMode):
    """Leaves new weights uninitialised, because those of the file replace them.

    Drawing them takes a second for a base model; torch's meta device takes longer, in imports.
    """

    # nn.init passes some of its functions to the mode whole, which hides their draws.
    _DRAWS = (
        *(nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_),
        *(Tensor.normal_, Tensor.uniform_, Tensor.fill_, Tensor.zero_),
    )

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        given = kwargs or {}
        if func in self._DRAWS:
            return args[0] if args else given["tensor"]
        return func(*args, **given)


def _refuse_other_heads(kind: type[TaskModel], config: ModelConfig, source: str) -> None:
    """Refuse heads with the same weight names as `kind` and another meaning."""
    wanted = HEADS[kind]
    architectures = config.extra.get("architectures")
    for architecture in architectures if isinstance(architectures, list) else ():
        for other in HEADS.values():
            if (
                other is not wanted
                and other.proof is not None
                and other.proof == wanted.proof
                and str(architecture).endswith(other.ending)
            ):
                raise HeadError(f"{source} is for: distil {other.command}")


def _config_with_labels(config: ModelConfig, n_labels: int, source: str) -> ModelConfig:
    """Fill in labels if `config.json` omits them, as it may for LABEL_0, LABEL_1, …."""
    if not config.labels:
        return replace(config, labels=tuple(f"LABEL_{index}" for index in range(n_labels)))
    if len(config.labels) != n_labels:
        raise ModelError(
            f"{source}: config.json names {len(config.labels)} labels, "
            f"the classifier has {n_labels} outputs; write a name for each into its id2label"
        )
    return config
