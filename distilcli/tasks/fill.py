"""Filling masks: the likeliest tokens for every mask of a text.

Each mask is scored by itself, with the others masked: the best tokens of two masks are each the
best alone, not necessarily together. A text longer than the model reads is cut, or read in
windows, and each mask is filled in the window where it has most context.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import torch
from torch import Tensor

from distilcli.engine.batching import Batch, Piece
from distilcli.engine.task import Encoded
from distilcli.errors import RowError
from distilcli.model.heads import MaskedLanguageModel
from distilcli.tasks.candidates import mask_id
from distilcli.tasks.result import Brief, Result
from distilcli.tasks.sequences import Framer, encode_each, most_context, no_number, or_error
from distilcli.tasks.settings import LongTexts
from distilcli.tokenizer.filled import FilledText, Span, filled_in
from distilcli.tokenizer.tokenizer import Encoding, Tokenizer

Item = TypeVar("Item")
Ranked = list[tuple[int, float]]
"""Token ids with their probabilities, the likeliest first."""


@dataclass(frozen=True, slots=True, repr=False)
class Fill(Brief):
    """A token for a mask, as the vocabulary spells it, and its probability there."""

    _shown = ("token", "score")
    token: str
    score: float


@dataclass(frozen=True, slots=True, repr=False)
class Filling(Result):
    """The fills of the masks of one text.

    `filled` is the text with each mask replaced by its best token, and otherwise unchanged; a
    piece (`##s`) joins the word before it. `masks` are the fills of each mask, in the order of the
    text, the likeliest first.
    """

    _shown = ("filled", "score")
    filled: FilledText
    masks: tuple[tuple[Fill, ...], ...]

    @property
    def score(self) -> float:
        """The product of the probabilities of the best tokens."""
        return math.prod(fills[0].score for fills in self.masks)


@dataclass(slots=True)
class MaskedWindow(Piece):
    """A sequence with masks; those at the ascending positions `places` are filled here."""

    places: list[int] = field(default_factory=list)


@dataclass(slots=True)
class EncodedText(Encoded):
    """The windows with masks of a text, and the characters of each mask."""

    text: str = ""
    spans: list[Span] = field(default_factory=list)


class FillTask(Generic[Item]):
    """Filling masks as the engine runs it, over items from which `text_of` takes the text.

    `text_of` may raise `RowError`. `candidates` are the ids that may fill a mask (None: all);
    probabilities are over the whole vocabulary. Windows overlap by `long_texts.stride` at most,
    never by more than half a window.
    """

    def __init__(
        self,
        model: MaskedLanguageModel,
        tokenizer: Tokenizer,
        *,
        text_of: Callable[[Item], str],
        long_texts: LongTexts,
        candidates: Sequence[int] | None = None,
        top_k: int = 5,
    ) -> None:
        """Raise `UsageError` for settings without room for text or fills, `ModelError` for no mask.

        If there are fewer candidates than `top_k`, all are returned.
        """
        self._model = model
        self._tokenizer = tokenizer
        self._mask = mask_id(tokenizer)
        self._text_of = text_of
        self._framer = Framer(tokenizer, model.config, long_texts, soft_stride=True)
        self._candidates = None if candidates is None else torch.tensor(candidates)
        self._top_k = min(top_k, model.config.vocab_size if candidates is None else len(candidates))

    def size(self, item: Item) -> int:
        """Return the number of characters of an item."""
        text = or_error(self._text_of, item)
        return 0 if isinstance(text, RowError) else len(text)

    def encode(self, items: Sequence[Item]) -> list[Encoded | RowError]:
        """Tokenize items at once; one without a mask that the model sees gives a `RowError`."""
        return encode_each(items, self._text_of, self._encode_texts)

    def _encode_texts(self, texts: Sequence[str]) -> list[Encoded | RowError]:
        encodings = self._framer.encodings(texts, sought=self._tokenizer.options.mask_token)
        return [or_error(self._framed, *both) for both in zip(texts, encodings, strict=True)]

    def _framed(self, text: str, encoding: Encoding) -> EncodedText:
        masks = [place for place, number in enumerate(encoding.ids) if number == self._mask]
        token = self._tokenizer.options.mask_token
        if not encoding:
            return EncodedText([], text=text)
        if not masks:
            raise RowError(f"the text has no {token}; put one where a word is to be filled in")
        windows, truncated = self._framer.windows(encoding)
        best = most_context(windows)
        beyond = sum(mask >= len(best) for mask in masks)
        if beyond:
            raise RowError(
                f"{beyond} of {len(masks)} {token} beyond the {self._framer.max_length} tokens "
                "that are read; use `long` window"
            )
        # The best window of a mask is never before that of an earlier mask: their order is kept.
        places: dict[int, list[int]] = {}
        for mask in masks:
            window, place = best[mask]
            places.setdefault(window, []).append(place)
        pieces: list[Piece] = [
            MaskedWindow(
                windows[number].input_ids,
                self._framer.token_types(windows[number]),
                places=of_window,
            )
            for number, of_window in places.items()
        ]
        spans = [_without_space(text, *encoding.offsets[mask]) for mask in masks]
        return EncodedText(pieces, truncated, text, spans)

    def forward(self, batch: Batch) -> list[list[Ranked]]:
        """Return the likeliest tokens of each mask of each piece; no other is projected."""
        places = [piece.places for piece in batch.pieces if isinstance(piece, MaskedWindow)]
        logits = self._model(
            batch.input_ids,
            batch.attention_mask,
            batch.token_type_ids,
            positions=positions_at(places, batch.input_ids),
        )
        probabilities = logits.float().softmax(dim=-1)  # (N masks, V)
        if self._candidates is None:
            scores, numbers = probabilities.topk(self._top_k)
        else:
            candidates = self._candidates.to(logits.device)
            scores, chosen = probabilities[:, candidates].topk(self._top_k)
            numbers = candidates[chosen]
        ranked = (
            list(zip(*both, strict=True))
            for both in zip(numbers.tolist(), scores.tolist(), strict=True)
        )
        return [[next(ranked) for _ in of_piece] for of_piece in places]

    def decode(self, item: Item, encoded: EncodedText, outputs: Sequence[list[Ranked]]) -> Filling:
        """Put the best tokens in; raises `RowError` where a score is not a number."""
        tokens = self._tokenizer.tokens
        masks = tuple(
            tuple(Fill(tokens[number], score) for number, score in ranked)
            for of_piece in outputs
            for ranked in of_piece
        )
        if not all(math.isfinite(fill.score) for fills in masks for fill in fills):
            raise no_number()
        best = [fills[0].token for fills in masks]
        filled = filled_in(encoded.text, encoded.spans, best)
        return Filling(filled, masks, truncated=encoded.truncated)

    def agreement(self, first: Filling, second: Filling) -> float:
        """Compare the best tokens of the masks."""
        pairs = zip(first.masks, second.masks, strict=True)
        return sum(a[0].token == b[0].token for a, b in pairs) / max(1, len(first.masks))


def positions_at(places: Sequence[Sequence[int]], input_ids: Tensor) -> Tensor:
    """Return booleans (B, T) that are True at the given positions of each row."""
    rows = [row for row, of_row in enumerate(places) for _ in of_row]
    positions = torch.zeros_like(input_ids, dtype=torch.bool)
    positions[rows, [place for of_row in places for place in of_row]] = True
    return positions


def _without_space(text: str, start: int, end: int) -> Span:
    """Return a span without the space that a mask token may include."""
    inside = text[start:end]
    return start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())


class FillColumns:
    """The columns of fills: `filled`, `score` and `fills`.

    The last is a list with a list of tokens and scores for each mask.
    """

    names = ("filled", "score", "fills")

    def values(self, filling: Filling) -> list[object]:
        """Return the values of one row, in the order of `names`."""
        fills = [
            [{"token": fill.token, "score": fill.score} for fill in of_mask]
            for of_mask in filling.masks
        ]
        return [filling.filled, filling.score, fills]

    def counted(self, filling: Filling) -> list[str]:
        """Count nothing: there are too many different words."""
        return []
