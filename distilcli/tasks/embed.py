"""Embedding: a text, or each of its tokens, to a vector.

The hidden states of a text are pooled; a text longer than the model reads is cut, or read in
windows whose pooled vectors are averaged. Dense layers, fewer dimensions, unit length and a
smaller number format follow, as the model and the options say.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from distilcli.engine.batching import Batch, Piece
from distilcli.engine.task import Encoded
from distilcli.errors import RowError
from distilcli.model.capture import forward_all
from distilcli.model.heads import BaseModel
from distilcli.model.pooling import Pooling, pool
from distilcli.rows.row import JsonText
from distilcli.tasks.result import Result
from distilcli.tasks.sequences import (
    Framer,
    encode_each,
    most_context,
    no_number,
    or_error,
    pool_windows,
)
from distilcli.tasks.settings import LongTexts
from distilcli.tokenizer.tokenizer import Ids, Tokenizer
from distilcli.tokenizer.windows import Window

Item = TypeVar("Item")
Array = np.ndarray[Any, Any]
Dtype = Literal["float32", "float16", "int8", "binary"]
Layout = Literal["json", "array", "glance"]
"""A vector in a row: a JSON list, the array itself, or its first few numbers for people."""

_MIN_NORM = 1e-12  # as in torch.nn.functional.normalize
_INT8_STEPS = 127
_GLANCED = 3


@dataclass(frozen=True, slots=True)
class Finish:
    """The last steps for a pooled vector (D,): the model's, `dims`, unit length, `dtype`.

    `steps` are functions from vector to vector. `int8` scales each vector to -127..127 by its own
    largest value, which keeps cosines; `binary` keeps the signs, eight to a byte.
    """

    steps: tuple[Callable[[Tensor], Tensor], ...] = ()
    dims: int | None = None
    normalizes: bool = False
    dtype: Dtype = "float32"

    def __call__(self, vectors: Tensor) -> Array:
        """Return finished vectors (..., D)."""
        for step in self.steps:
            vectors = step(vectors)
        vectors = vectors[..., : self.dims]
        if self.normalizes:
            vectors = vectors / vectors.norm(dim=-1, keepdim=True).clamp_min(_MIN_NORM)
        return quantized(vectors, self.dtype)


def quantized(vectors: Tensor, dtype: Dtype) -> Array:
    """Return fp32 vectors (..., D) in another number format; see `Finish`."""
    if dtype == "binary":
        return np.packbits(vectors.numpy() > 0, axis=-1)
    if dtype == "int8":
        largest = vectors.abs().amax(dim=-1, keepdim=True).clamp_min(_MIN_NORM)
        return (vectors * (_INT8_STEPS / largest)).round().to(torch.int8).numpy()
    return vectors.numpy().astype(dtype, copy=False)


@dataclass(frozen=True, slots=True, repr=False)
class TokenEmbeddings(Result):
    """The tokens of one text, without special ones, and their vectors.

    `offsets` are start and end characters; `vectors` is (tokens, D).
    """

    _shown = ("tokens",)
    tokens: list[str]
    offsets: list[tuple[int, int]]
    vectors: Array


@dataclass(slots=True)
class _PromptedPiece(Piece):
    """The first piece of a text with a prompt: its first `unpooled` tokens are not pooled."""

    unpooled: int = 0


@dataclass(slots=True)
class _EncodedTokens(Encoded):
    """A text with its windows."""

    windows: tuple[Window, ...] = ()


class _TextTask(ABC, Generic[Item]):
    """What embedding texts and tokens share; `text_of` takes the text of an item.

    A text follows the `prompt`, whose tokens are not pooled unless `pools_prompt`.
    `layer` counts from 0, the embeddings, to the last; None is the last.
    """

    def __init__(
        self,
        model: BaseModel,
        tokenizer: Tokenizer,
        *,
        text_of: Callable[[Item], str],
        pooling: Pooling,
        finish: Finish,
        layer: int | None = None,
        prompt: str = "",
        pools_prompt: bool = True,
        long_texts: LongTexts,
    ) -> None:
        """Raise `UsageError` for lengths without room for text, or a stride as long as a window."""
        self._model = model
        self._tokenizer = tokenizer
        self._text_of = text_of
        self._pooling = pooling
        self._finish = finish
        self._layer = layer
        self._prompt = prompt
        self._unpooled = 0
        if prompt and not pools_prompt:
            (ids,) = tokenizer.ids([prompt])
            self._unpooled = 1 + len(ids)  # with [CLS] before it
        self._framer = Framer(tokenizer, model.config, long_texts)
        self._window_pooling = long_texts.window_pooling

    def size(self, item: Item) -> int:
        """Return the number of characters of an item."""
        text = or_error(self._text_of, item)
        return 0 if isinstance(text, RowError) else len(text)

    def encode(self, items: Sequence[Item]) -> list[Encoded | RowError]:
        """Tokenize items at once; an item whose text cannot be read gives its `RowError`."""
        return encode_each(items, self._text_of, self._encode_texts)

    @abstractmethod
    def _encode_texts(self, texts: Sequence[str]) -> list[Encoded | RowError]:
        """Tokenize texts, each after the prompt."""

    def _hidden_states(self, model: BaseModel, batch: Batch, *, first_only: bool = False) -> Tensor:
        """Return the hidden states (B, T, D) of the chosen layers, (B, 1, D) if `first_only`."""
        encoder = model.distilbert
        inputs = (batch.input_ids, batch.attention_mask, batch.token_type_ids)
        if self._layer is None and self._pooling.layers == 1:
            found: Tensor = encoder(*inputs, first_token_only=first_only)
            return found
        states = forward_all(encoder, *inputs).hidden_states
        if self._layer is not None:
            return states[self._layer]
        return torch.stack(states[-self._pooling.layers :]).mean(dim=0)


class EmbedTask(_TextTask[Item]):
    """Embedding texts as the engine runs it; see `_TextTask` for the settings."""

    def _encode_texts(self, texts: Sequence[str]) -> list[Encoded | RowError]:
        ids = self._framer.ids([self._prompt + text for text in texts])
        return [or_error(self._frame, found) for found in ids]

    def _frame(self, ids: Ids) -> Encoded:
        encoded = self._framer.frame(ids)
        if self._unpooled:
            first = encoded.pieces[0]
            # A text that was cut within the prompt keeps its last token.
            unpooled = min(self._unpooled, len(first) - 1)
            encoded.pieces[0] = _PromptedPiece(first.input_ids, first.token_type_ids, unpooled)
        return encoded

    def forward(self, batch: Batch) -> list[Array]:
        """Return the pooled vector of each piece, fp32 (D,)."""
        # Copied, because small tensors that are kept break up the memory of large ones.
        return list(self.pooled(self._model, batch).cpu().numpy().copy())

    def pooled(self, model: BaseModel, batch: Batch) -> Tensor:
        """Return the pooled hidden states of pieces: fp32 (B, D)."""
        first_only = self._pooling.needs_first_token_only and not self._unpooled
        hidden_states = self._hidden_states(model, batch, first_only=first_only)
        mask = batch.attention_mask
        mask = torch.ones_like(batch.input_ids) if mask is None else mask.clone()
        for row, piece in enumerate(batch.pieces):
            if isinstance(piece, _PromptedPiece):
                mask[row, : piece.unpooled] = 0
        mask = mask[:, : hidden_states.size(1)]
        return pool(hidden_states, mask, self._pooling.modes).float()

    def decode(self, item: Item, encoded: Encoded, outputs: Sequence[Array]) -> Array:
        """Pool an item's windows and finish the vector; raise `RowError` if it is not finite."""
        vectors = torch.from_numpy(np.stack(outputs))
        vector = pool_windows(vectors, encoded.pieces, self._window_pooling)
        return self._finish(_finite(vector))

    def agreement(self, first: Array, second: Array) -> float:
        """Return the cosine of two vectors."""
        return _cosine(first, second)


class EmbedTokensTask(_TextTask[Item]):
    """The same for each token of a text, from the window where it has most context.

    Nothing is pooled, and dense layers, which are for pooled vectors, are not applied.
    """

    def _encode_texts(self, texts: Sequence[str]) -> list[Encoded | RowError]:
        found = self._framer.encodings([self._prompt + text for text in texts])
        return [or_error(self._encode_tokens, encoding) for encoding in found]

    def _encode_tokens(self, encoding: Any) -> Encoded:
        windows, truncated = self._framer.windows(encoding)
        pieces = self._framer.pieces(windows)
        return _EncodedTokens(pieces, truncated=truncated, windows=tuple(windows))

    def forward(self, batch: Batch) -> list[Tensor]:
        """Return the hidden states of each piece's tokens, fp32 (T, D)."""
        states = self._hidden_states(self._model, batch).float().cpu()
        return [rows[: len(piece)] for rows, piece in zip(states, batch.pieces, strict=True)]

    def decode(
        self, item: Item, encoded: _EncodedTokens, outputs: Sequence[Tensor]
    ) -> TokenEmbeddings:
        """Take each token from its best window; raise `RowError` if it is not finite."""
        start = len(self._prompt)
        tokens, offsets, rows = [], [], []
        for number, place in most_context(encoded.windows):
            window = encoded.windows[number]
            begin, end = window.offsets[place]
            if begin < start:
                continue  # a token of the prompt
            tokens.append(self._tokenizer.tokens[window.input_ids[place]])
            offsets.append((begin - start, end - start))
            rows.append(outputs[number][place])
        vectors = torch.stack(rows) if rows else torch.empty(0, outputs[0].size(-1))
        finished = self._finish(_finite(vectors))
        return TokenEmbeddings(tokens, offsets, finished, truncated=encoded.truncated)

    def agreement(self, first: TokenEmbeddings, second: TokenEmbeddings) -> float:
        """Return the cosine of the concatenated vectors of the tokens."""
        return _cosine(first.vectors.ravel(), second.vectors.ravel())


def _cosine(first: Array, second: Array) -> float:
    """Return the cosine of two vectors, at least 0; for bits the share of equal ones."""
    if first.dtype == np.uint8:
        return float((np.unpackbits(first) == np.unpackbits(second)).mean())
    first, second = first.astype(np.float64), second.astype(np.float64)
    lengths = float(np.linalg.norm(first) * np.linalg.norm(second))
    return max(0.0, float(first @ second) / lengths) if lengths else 1.0


def _finite(vectors: Tensor) -> Tensor:
    if not torch.isfinite(vectors).all():
        raise no_number()
    return vectors


class EmbeddingColumns:
    """The column of a vector; see `Layout`."""

    names = ("embedding",)

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def values(self, vector: Array) -> list[object]:
        """Return the value of one row."""
        if self._layout == "json":
            return [_json(vector)]
        return [_glance(vector) if self._layout == "glance" else vector]

    def counted(self, vector: Array) -> list[str]:
        """Count nothing: there are no labels."""
        return []


class TokenEmbeddingColumns:
    """The columns of the vectors of tokens: three lists of the same length."""

    names = ("tokens", "offsets", "embeddings")

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def values(self, value: TokenEmbeddings) -> list[object]:
        """Return the values of one row, in the order of `names`."""
        vectors: object = value.vectors
        if self._layout == "json":
            vectors = JsonText(f"[{','.join(map(_json, value.vectors))}]")
        elif self._layout == "glance":
            vectors = " x ".join(map(str, value.vectors.shape))
        return [value.tokens, value.offsets, vectors]

    def counted(self, value: TokenEmbeddings) -> list[str]:
        """Count nothing: there are no labels."""
        return []


def _glance(vector: Array) -> str:
    """Return the first numbers of a vector and its length, for people."""
    form = "{:d}" if vector.dtype.kind in "iu" else "{:.2f}"
    first = ", ".join(map(form.format, vector[:_GLANCED].tolist()))
    return f"[{first}, … {len(vector)}]" if len(vector) > _GLANCED else f"[{first}]"


def _json(vector: Array) -> JsonText:
    """Return a vector as a JSON list; nine digits round-trip fp32."""
    form = "%d" if vector.dtype.kind in "iu" else "%.5g" if vector.itemsize == 2 else "%.9g"  # noqa: PLR2004
    return JsonText(f"[{','.join([form] * len(vector)) % tuple(vector.tolist())}]")
