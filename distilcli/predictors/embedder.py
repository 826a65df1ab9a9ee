"""Turn texts into vectors, compare them, and search in stored ones."""

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, get_args, overload

import numpy as np

from distilcli.checkpoint.sentence_transformers import SentenceRecipe, read_recipe
from distilcli.engine.engine import Engine, OnError
from distilcli.errors import UsageError
from distilcli.model.heads import BaseModel
from distilcli.model.pooling import Pooling, parse_pooling
from distilcli.predictors.base import Predictor, checked_text, itself
from distilcli.predictors.dense import read_step
from distilcli.tasks.embed import (
    Array,
    Dtype,
    EmbedTask,
    EmbedTokensTask,
    Finish,
    TokenEmbeddings,
)
from distilcli.tasks.settings import check_choice, check_least
from distilcli.vectors.index import VectorIndex, index_of, open_index
from distilcli.vectors.search import Hit, cosines, nearest

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from distilcli.predictors.base import Options

Item = TypeVar("Item")
Made = TypeVar("Made")
Searched = str | Path | VectorIndex | Array


class Embedder(Predictor[BaseModel, str, str, Array]):
    """An encoder, loaded once, that gives a vector for each of any number of texts.

    `width` is the number of dimensions, `pooling` how a text's tokens become one vector,
    `prompts` are the model's own, by name. Defaults come from the model's sentence-transformers
    files; without these it is the mean over the tokens, not normalized. Long texts are truncated
    unless `long_texts` says otherwise.
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

    @property
    def token_width(self) -> int:
        """The dimensions of a token's vector."""
        return self._finish.dims or self.config.dim

    def about(self, *, of_tokens: bool = False) -> dict[str, object]:
        """Return how vectors are made as plain JSON values."""
        folder = Path(self.name).expanduser()
        return {
            # An absolute path: the search may start in another folder.
            "model": str(folder.resolve()) if folder.is_dir() else self.name,
            "pooling": self.pooling,
            "layer": self._layer,
            "normalized": self.normalizes,
            "dims": self.token_width if of_tokens else self.width,
            "dtype": self.dtype,
            "prompt": self.prompt,
        }

    def __call__(self, texts: str | Iterable[str]) -> Array:
        """Return the vector of one text, (width,), or those of many, (N, width).

        `binary` vectors have width / 8 bytes, rounded up. Raises `RowError` for the first text
        that has no vector, `TypeError` for anything that is not a text.
        """
        vectors = self._results(texts)
        if isinstance(vectors, list):
            return np.stack(vectors) if vectors else self.blank()[None][:0]
        return vectors

    @overload
    def tokens(self, texts: str) -> TokenEmbeddings: ...  # type: ignore[overload-overlap]
    @overload
    def tokens(self, texts: Iterable[str]) -> list[TokenEmbeddings]: ...

    def tokens(self, texts: str | Iterable[str]) -> TokenEmbeddings | list[TokenEmbeddings]:
        """Return a vector for every token of one text or many; raises what calling it raises."""
        return self._results_of(self.tokens_engine(itself, on_error="stop"), texts)

    @overload
    def similarity(self, first: str, second: str) -> float: ...  # type: ignore[overload-overlap]
    @overload
    def similarity(
        self, first: str | Iterable[str] | Array, second: str | Iterable[str] | Array
    ) -> Array: ...

    def similarity(
        self, first: str | Iterable[str] | Array, second: str | Iterable[str] | Array
    ) -> Array | float:
        """Return the cosines of texts, or of vectors, as an array (N, M).

        A single text or vector has no axis there: (M,), (N,), and a number for two.
        """
        one, other = self._floats(first), self._floats(second)
        scores = cosines(np.atleast_2d(one), np.atleast_2d(other))
        scores = scores.reshape(one.shape[:-1] + other.shape[:-1])
        return scores if scores.ndim else float(scores)

    @overload
    def search(self, queries: str, index: Searched, k: int = 10) -> list[Hit]: ...  # type: ignore[overload-overlap]
    @overload
    def search(self, queries: Iterable[str], index: Searched, k: int = 10) -> list[list[Hit]]: ...

    def search(
        self, queries: str | Iterable[str], index: Searched, k: int = 10
    ) -> list[Hit] | list[list[Hit]]:
        """Return the `k` vectors nearest to a query, or to each of many, the nearest first.

        `index` is a file that `distil embed -o` wrote (its hits know their `row`: id and text), or
        an array of vectors. Raises `InputError` for vectors that cannot be searched.
        """
        check_least("k", k, 1)
        stored = index_of(index, dims=self.width) if isinstance(index, np.ndarray) else index
        stored = stored if isinstance(stored, VectorIndex) else open_index(stored)
        maker = stored.about.get("model")
        if maker not in {None, self.about()["model"]}:
            warnings.warn(f"{index} was made with the model {maker}, not with this", stacklevel=2)
        vectors = self._floats(queries)
        hits = nearest(stored, np.atleast_2d(vectors), k)
        if stored.path is not None:
            rows = stored.names()
            hits = [[replace(hit, row=rows[hit.index]) for hit in each] for each in hits]
        return hits[0] if vectors.ndim == 1 else hits

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

    def blank(self, *, of_tokens: bool = False) -> Array:
        """Return the vector of a row that failed: NaN, or zeros for integers."""
        width = self.token_width if of_tokens else self.width
        if self.dtype == "binary":
            return np.zeros((width + 7) // 8, dtype=np.uint8)
        if self.dtype == "int8":
            return np.zeros(width, dtype=np.int8)
        return np.full(width, np.nan, dtype=self.dtype)

    def tokens_engine(
        self, text_of: Callable[[Item], str], *, on_error: OnError = "keep"
    ) -> Engine[Item, TokenEmbeddings]:
        """Return the engine for the tokens of items of any kind, given how to get their text.

        Raises `UsageError` for more dimensions than a token has.
        """
        if self.token_width > self.config.dim:
            raise UsageError(
                f"`dims` {self.token_width}: the tokens of {self.name} have {self.config.dim} "
                "dimensions"
            )
        finish = replace(self._finish, steps=())
        task_of = self._maker(EmbedTokensTask[Item], self._checked(text_of), finish)
        return self._engine(task_of, on_error=on_error)

    def _task(self, model: BaseModel, content_of: Callable[[Item], str]) -> EmbedTask[Item]:
        return self._maker(EmbedTask[Item], content_of, self._finish)(model)

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
