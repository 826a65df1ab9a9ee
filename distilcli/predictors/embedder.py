"""An embedder ready to use: files to a model on a device, and texts to vectors."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from distilcli.checkpoint.sentence_transformers import DenseLayer, SentenceRecipe, read_recipe
from distilcli.engine.engine import Engine, OnError
from distilcli.errors import ModelError, UsageError
from distilcli.model.heads import BaseModel
from distilcli.model.pooling import Pooling, parse_pooling
from distilcli.model.precision import Precision
from distilcli.model.weights import read_file
from distilcli.predictors.base import Predictor, checked_texts, itself, values_of
from distilcli.tasks.embed import (
    Array,
    Dtype,
    EmbedTask,
    EmbedTokensTask,
    Finish,
    TokenEmbeddings,
)
from distilcli.tasks.settings import MIN_AGREEMENT, BatchOptions, LongTexts

Item = TypeVar("Item")

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "gelu": torch.nn.functional.gelu,
}


class Embedder(Predictor[BaseModel]):
    """An encoder, loaded once, that gives a vector for each of any number of texts.

    `width` is the dimensions of a vector, `pooling` the name of how its tokens become one,
    `prompts` the prompts that the model names. What is left out is as the model's
    sentence-transformers files say; without such files the mean over the tokens, not normalized.
    """

    def __init__(
        self,
        model: str = "embed",
        *,
        pooling: str | None = None,
        normalize: bool | None = None,
        dims: int | None = None,
        layer: int | None = None,
        dtype: Dtype = "float32",
        prompt: str | None = None,
        prompt_name: str | None = None,
        device: str = "auto",
        precision: Precision = "fp32",
        min_agreement: float = MIN_AGREEMENT,
        offline: bool = False,
        batches: BatchOptions | None = None,
        long_texts: LongTexts | None = None,
    ) -> None:
        """Raise `ModelError`, `ResourceError` or `UsageError` where it cannot be had."""
        super().__init__(
            BaseModel,
            model,
            device=device,
            precision=precision,
            min_agreement=min_agreement,
            offline=offline,
            batches=batches,
            long_texts=long_texts or LongTexts(),
        )
        recipe = read_recipe(self._files.folder)
        if self._long_texts.max_length is None and recipe.max_length is not None:
            self._long_texts = replace(self._long_texts, max_length=recipe.max_length)
        self._lowercases = recipe.lowercases is True
        self._pools_prompt = recipe.pools_prompt
        self._pooling = Pooling(recipe.pooling) if pooling is None else parse_pooling(pooling)
        self._layer = self._checked_layer(layer, pooling)
        self.prompts = recipe.prompts
        self.prompt = self._chosen_prompt(recipe, prompt, prompt_name)
        full = self.config.dim * len(self._pooling.modes)
        dense = []
        for dense_layer in recipe.dense if pooling is None else ():
            function, full = _read_dense(dense_layer, full)
            dense.append(function)
        self._finish = Finish(
            dense=tuple(dense),
            dims=dims,
            normalizes=recipe.normalizes if normalize is None else normalize,
            dtype=dtype,
        )
        if dims is not None and not 0 < dims <= full:
            raise UsageError(f"--dims {dims}: the vectors of {self.name} have {full} dimensions")
        self.width = dims or full

    @property
    def pooling(self) -> str:
        """The name of the pooling: modes with a + between them, or last-K."""
        layers = self._pooling.layers
        return f"last-{layers}" if layers > 1 else "+".join(self._pooling.modes)

    @property
    def normalizes(self) -> bool:
        """Whether vectors have length 1."""
        return self._finish.normalizes

    @property
    def dtype(self) -> Dtype:
        """The number format of the vectors."""
        return self._finish.dtype

    def described(self) -> str:
        """Say which model runs where, and how its vectors are made."""
        layer = "" if self._layer is None else f" of layer {self._layer}"
        unit = ", normalized" if self.normalizes else ""
        kind = f"{self.width} x {self.dtype}, {self.pooling}{layer}{unit}"
        return f"{super().described()}, vectors: {kind}"

    @property
    def token_width(self) -> int:
        """The dimensions of the vector of one token."""
        return self._finish.dims or self.config.dim

    def about(self, *, of_tokens: bool = False) -> dict[str, object]:
        """Say how vectors are made, as plain JSON values."""
        folder = Path(self.name).expanduser()
        return {
            # A folder is found again from wherever the search is started.
            "model": str(folder.resolve()) if folder.is_dir() else self.name,
            "pooling": self.pooling,
            "layer": self._layer,
            "normalized": self.normalizes,
            "dims": self.token_width if of_tokens else self.width,
            "dtype": self.dtype,
            "prompt": self.prompt,
        }

    def __call__(self, texts: Iterable[str]) -> Array:
        """Return the vectors of texts, (N, width); of `binary` ones (N, width / 8 rounded up).

        Raises `RowError` for a text that has none, `TypeError` for what is no text.
        """
        engine = self.engine(itself, on_error="stop")
        vectors = values_of(engine, checked_texts(texts))
        return np.stack(vectors) if vectors else self.blank()[None][:0]

    def tokens(self, texts: Iterable[str]) -> list[TokenEmbeddings]:
        """Return the vectors of every token of texts; raises as calling it does."""
        return values_of(self.tokens_engine(itself, on_error="stop"), checked_texts(texts))

    def blank(self, *, of_tokens: bool = False) -> Array:
        """Return what stands for a vector that could not be had: NaN, or zeros for integers."""
        width = self.token_width if of_tokens else self.width
        if self.dtype == "binary":
            return np.zeros((width + 7) // 8, dtype=np.uint8)
        if self.dtype == "int8":
            return np.zeros(width, dtype=np.int8)
        return np.full(width, np.nan, dtype=self.dtype)

    def engine(
        self, text_of: Callable[[Item], str], *, on_error: OnError = "keep"
    ) -> Engine[Item, Array]:
        """Return the engine that embeds items of any kind, given how to get their text."""
        settings = self._settings(text_of)

        def task(model: BaseModel) -> EmbedTask[Item]:
            return EmbedTask(model, self._tokenizer, **settings)

        return self._engine(task, on_error=on_error)

    def tokens_engine(
        self, text_of: Callable[[Item], str], *, on_error: OnError = "keep"
    ) -> Engine[Item, TokenEmbeddings]:
        """Return the engine that embeds every token of items.

        Raises `UsageError` for more dimensions than a token has.
        """
        if self.token_width > self.config.dim:
            raise UsageError(
                f"--dims {self.token_width}: the tokens of {self.name} have {self.config.dim} "
                "dimensions"
            )
        settings = self._settings(text_of) | {"finish": replace(self._finish, dense=())}

        def task(model: BaseModel) -> EmbedTokensTask[Item]:
            return EmbedTokensTask(model, self._tokenizer, **settings)

        return self._engine(task, on_error=on_error)

    def _settings(self, text_of: Callable[[Item], str]) -> dict[str, Any]:
        def lowered(item: Item) -> str:
            return text_of(item).lower()

        return {
            "text_of": lowered if self._lowercases else text_of,
            "pooling": self._pooling,
            "finish": self._finish,
            "layer": self._layer,
            "prompt": self.prompt.lower() if self._lowercases else self.prompt,
            "pools_prompt": self._pools_prompt,
            "long_texts": self._long_texts,
        }

    def _checked_layer(self, layer: int | None, pooling: str | None) -> int | None:
        last = self.config.n_layers
        if self._pooling.layers > last:
            raise UsageError(f"--pooling {pooling}: {self.name} has {last} layers")
        if layer is None:
            return None
        if self._pooling.layers > 1:
            raise UsageError("--layer and --pooling last-K both choose layers; give one of them")
        if not -last - 1 <= layer <= last:
            raise UsageError(
                f"--layer {layer}: {self.name} has the layers 1 to {last}, and 0, its embeddings"
            )
        return layer

    def _chosen_prompt(self, recipe: SentenceRecipe, prompt: str | None, name: str | None) -> str:
        if prompt is not None and name is not None:
            raise UsageError("--prompt and --prompt-name both say what comes first; give one")
        if prompt is not None:
            return prompt
        name = recipe.default_prompt if name is None else name
        if name is None:
            return ""
        if name not in recipe.prompts:
            known = ", ".join(recipe.prompts) or "none"
            raise UsageError(f"--prompt-name {name!r}: the prompts of {self.name} are: {known}")
        return recipe.prompts[name]


def _read_dense(layer: DenseLayer, width: int) -> tuple[Callable[[Tensor], Tensor], int]:
    """Return the layer as a function of vectors of `width`, and the width of what it gives."""
    weights = read_file(layer.path)
    weight, bias = weights.get("linear.weight"), weights.get("linear.bias")
    if weight is None:
        raise ModelError(f"{layer.path}: has no linear.weight; download the folder again")
    if weight.shape[1:] != (width,) or (bias is not None and bias.shape != weight.shape[:1]):
        raise ModelError(
            f"{layer.path}: a layer of shape {tuple(weight.shape)} takes no vector of {width} "
            "dimensions; download the folder again"
        )
    function = partial(
        _dense, weight.float(), None if bias is None else bias.float(), layer.activation
    )
    return function, weight.size(0)


def _dense(weight: Tensor, bias: Tensor | None, activation: str, x: Tensor) -> Tensor:
    return _ACTIVATIONS[activation](torch.nn.functional.linear(x, weight, bias))
