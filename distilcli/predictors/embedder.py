"""Turn texts into vectors, compare them, and search in stored ones."""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar, overload

import numpy as np

from distilcli.engine.engine import Engine, OnError
from distilcli.errors import UsageError
from distilcli.model.heads import BaseModel
from distilcli.predictors.base import itself
from distilcli.predictors.encoder import TextEncoder
from distilcli.tasks.embed import Array, EmbedTask, EmbedTokensTask, TokenEmbeddings
from distilcli.tasks.settings import check_least
from distilcli.vectors.index import VectorIndex, index_of, open_index
from distilcli.vectors.search import Hit, cosines, nearest

Item = TypeVar("Item")
Searched = str | Path | VectorIndex | Array


class Embedder(TextEncoder[Array]):
    """An encoder, loaded once, that gives a vector for each of any number of texts."""

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
