"""What embedding and matching share: an encoder that makes one vector of a text."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, get_args

import numpy as np

from distilcli.checkpoint.sentence_transformers import SentenceRecipe, read_recipe
from distilcli.errors import UsageError
from distilcli.model.heads import BaseModel
from distilcli.model.pooling import Pooling, parse_pooling
from distilcli.predictors.base import Predictor, checked_text, itself
from distilcli.predictors.dense import read_step
from distilcli.tasks.embed import Array, Dtype, EmbedTask, Finish
from distilcli.tasks.settings import check_choice
from distilcli.vectors.index import index_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from distilcli.predictors.base import Options

Item = TypeVar("Item")
Made = TypeVar("Made")
Value = TypeVar("Value")


class TextEncoder(Predictor[BaseModel, str, str, Value]):
    """A model that gives a vector of `width` dimensions for a text.

    `pooling` is how a text's tokens become one vector, `prompts` are the model's own, by name.
    Defaults come from the model's sentence-transformers files; without these it is the mean over
    the tokens, not normalized. Long texts are truncated unless `long_texts` says otherwise.
    """

    _head = BaseModel

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
        **options: "Unpack[Options]",
    ) -> None:
        """See `Predictor`."""
        check_choice("dtype", dtype, get_args(Dtype))
        super().__init__(model, **options)
        recipe = read_recipe(self._files.folder)
        if self._long_texts.max_length is None and recipe.max_length is not None:
            length = min(recipe.max_length, self.config.max_position_embeddings)
            self._long_texts = replace(self._long_texts, max_length=length)
        self._lowercases = recipe.lowercases is True
        self._pools_prompt = recipe.pools_prompt
        self._pooling = Pooling(recipe.pooling) if pooling is None else parse_pooling(pooling)
        self._layer = self._checked_layer(layer, pooling)
        self.prompts = recipe.prompts
        self.prompt = self._chosen_prompt(recipe, prompt, prompt_name)
        full = self.config.dim * len(self._pooling.modes)
        steps = []
        for step in recipe.steps if pooling is None else ():
            function, full = read_step(step, full)
            steps.append(function)
        self._finish = Finish(
            steps=tuple(steps),
            dims=dims,
            normalizes=recipe.normalizes if normalize is None else normalize,
            dtype=dtype,
        )
        if dims is not None and not 0 < dims <= full:
            raise UsageError(f"`dims` {dims}: the vectors of {self.name} have {full} dimensions")
        self.width = dims or full

    def _tokenizer_settings(self) -> Mapping[str, object]:
        return read_recipe(self._files.folder).tokenizer

    @property
    def pooling(self) -> str:
        """The name of the pooling: modes joined by +, or last-K."""
        layers = self._pooling.layers
        return f"last-{layers}" if layers > 1 else "+".join(self._pooling.modes)

    @property
    def normalizes(self) -> bool:
        """Whether vectors have length 1."""
        return self._finish.normalizes

    @property
    def dtype(self) -> Dtype:
        """The number format of vectors."""
        return self._finish.dtype

    def described(self) -> str:
        """Say which model runs where, and how its vectors are made."""
        layer = "" if self._layer is None else f" of layer {self._layer}"
        unit = ", normalized" if self.normalizes else ""
        kind = f"{self.width} x {self.dtype}, {self.pooling}{layer}{unit}"
        return f"{super().described()}, vectors: {kind}"

    def _floats(self, texts: str | Iterable[str] | Array) -> Array:
        """Return texts or vectors as fp32, whatever `dtype` is: (width,) of one, (N, width)."""
        if isinstance(texts, np.ndarray) and texts.dtype.kind in "fiu":
            index = index_of(np.atleast_2d(texts), dims=self.width)
            floats = np.concatenate([chunk for _, chunk in index.chunks()])
            return floats[0] if texts.ndim == 1 else floats
        finish, read = replace(self._finish, dtype="float32"), self._checked(itself)
        task_of = self._maker(EmbedTask[str], read, finish)
        vectors = self._results_of(self._engine(task_of, on_error="stop"), texts)
        return np.reshape(vectors, self.width if isinstance(texts, str) else (-1, self.width))

    _content = staticmethod(checked_text)

    def _maker(
        self, kind: Callable[..., Made], text_of: Callable[[Item], str], finish: Finish
    ) -> Callable[[BaseModel], Made]:
        """Return the function from a model to a task of the kind."""

        def lowered(item: Item) -> str:
            return text_of(item).lower()

        return lambda model: kind(
            model,
            self._tokenizer,
            text_of=lowered if self._lowercases else text_of,
            pooling=self._pooling,
            finish=finish,
            layer=self._layer,
            prompt=self.prompt.lower() if self._lowercases else self.prompt,
            pools_prompt=self._pools_prompt,
            long_texts=self._long_texts,
        )

    def _checked_layer(self, layer: int | None, pooling: str | None) -> int | None:
        last = self.config.n_layers
        if self._pooling.layers > last:
            raise UsageError(f"`pooling` {pooling}: {self.name} has {last} layers")
        if layer is None:
            return None
        if self._pooling.layers > 1:
            raise UsageError("`layer` and `pooling` last-K both choose layers; give one of them")
        if not -last - 1 <= layer <= last:
            raise UsageError(
                f"`layer` {layer}: {self.name} has layers 1 to {last}, and 0, the embeddings"
            )
        return layer

    def _chosen_prompt(self, recipe: SentenceRecipe, prompt: str | None, name: str | None) -> str:
        if prompt is not None and name is not None:
            raise UsageError("`prompt` and `prompt_name` both set the prompt; give one of them")
        if prompt is not None:
            return prompt
        name = recipe.default_prompt if name is None else name
        if name is None:
            return ""
        if name not in recipe.prompts:
            known = ", ".join(recipe.prompts) or "none"
            raise UsageError(f"`prompt_name` {name!r}: the prompts of {self.name} are: {known}")
        return recipe.prompts[name]
