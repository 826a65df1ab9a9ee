"""Pseudo-perplexity: how well a masked language model foresees a text, token by token.

Each token is masked in turn and its probability given all others is read off; the result is
exp(-mean log p) (Salazar et al. 2020, "Masked Language Model Scoring"). Less is better foreseen.
Of a text longer than the model reads, each token is masked in the window where it has most
context, or only those before the cut count.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

from distilcli.engine.batching import Batch, Piece
from distilcli.engine.task import Encoded
from distilcli.errors import RowError
from distilcli.model.heads import MaskedLanguageModel
from distilcli.tasks.candidates import mask_id
from distilcli.tasks.fill import positions_at
from distilcli.tasks.result import Result
from distilcli.tasks.sequences import Framer, encode_each, most_context, no_number, or_error
from distilcli.tasks.settings import LongTexts
from distilcli.tokenizer.tokenizer import Encoding, Tokenizer

Item = TypeVar("Item")

_CHARACTERS_OF_A_TOKEN = 4  # about, in English
_LARGEST = 700.0  # exp of more is no number
_CLOSE = 0.02  # logs of perplexities that count as the same


@dataclass(frozen=True, slots=True, repr=False)
class PseudoPerplexity(Result):
    """How hard to foresee a text of `n_tokens` tokens is: 1 if each token was certain."""

    _shown = ("pseudo_perplexity", "n_tokens")
    pseudo_perplexity: float
    n_tokens: int


@dataclass(slots=True)
class HiddenToken(Piece):
    """A sequence in which the token at `place` is to be masked.

    Its ids are those of the text, in one list for all tokens of a window: so a text of T tokens
    costs T small objects, not T lists of as many ids.
    """

    place: int = 0


class PerplexityTask(Generic[Item]):
    """Pseudo-perplexity as the engine runs it; `text_of` takes the text of an item.

    `text_of` may raise `RowError`. `long_texts.stride` is what windows share at most: it is never
    more than half of one.
    """

    def __init__(
        self,
        model: MaskedLanguageModel,
        tokenizer: Tokenizer,
        *,
        text_of: Callable[[Item], str],
        long_texts: LongTexts,
    ) -> None:
        """Raise `UsageError` for lengths that leave no text, `ModelError` for no mask."""
        self._model = model
        self._tokenizer = tokenizer
        self._mask = mask_id(tokenizer)
        self._text_of = text_of
        self._framer = Framer(tokenizer, model.config, long_texts, soft_stride=True)

    def size(self, item: Item) -> int:
        """Return the number of characters that the model reads: the text's, for each token."""
        text = or_error(self._text_of, item)
        if isinstance(text, RowError):
            return 0
        tokens = len(text) // _CHARACTERS_OF_A_TOKEN + 1
        return len(text) * min(tokens, self._framer.max_length)

    def encode(self, items: Sequence[Item]) -> list[Encoded | RowError]:
        """Tokenize items at once; one without tokens, or with a mask, gives a `RowError`."""
        return encode_each(items, self._text_of, self._encode_texts)

    def _encode_texts(self, texts: Sequence[str]) -> list[Encoded | RowError]:
        return [or_error(self._framed, encoding) for encoding in self._tokenizer.encode(texts)]

    def _framed(self, encoding: Encoding) -> Encoded:
        if not encoding:
            raise RowError("the text is empty; there is no token to foresee")
        if self._mask in encoding.ids:
            token = self._tokenizer.options.mask_token
            raise RowError(f"the text has a {token}; `pseudo_perplexity` is for whole texts")
        windows, truncated = self._framer.windows(encoding)
        types = [self._framer.token_types(window) for window in windows]
        pieces: list[Piece] = [
            HiddenToken(windows[number].input_ids, types[number], place=place)
            for number, place in most_context(windows)
        ]
        return Encoded(pieces, truncated)

    def forward(self, batch: Batch) -> list[float]:
        """Return the log of the probability of each piece's hidden token."""
        places = [piece.place for piece in batch.pieces if isinstance(piece, HiddenToken)]
        positions = positions_at([[place] for place in places], batch.input_ids)
        hidden = batch.input_ids[positions]
        logits = self._model(
            batch.input_ids.masked_fill(positions, self._mask),
            batch.attention_mask,
            batch.token_type_ids,
            positions=positions,
        )
        log_probabilities = torch.log_softmax(logits.float(), dim=-1)  # (B, V)
        found: list[float] = log_probabilities.gather(1, hidden[:, None])[:, 0].tolist()
        return found

    def decode(self, item: Item, encoded: Encoded, outputs: Sequence[float]) -> PseudoPerplexity:
        """Average over the tokens; raises `RowError` where the result is not a number."""
        surprise = -math.fsum(outputs) / len(outputs)
        if not surprise < _LARGEST:
            raise no_number()
        return PseudoPerplexity(math.exp(surprise), len(outputs), truncated=encoded.truncated)

    def agreement(self, first: PseudoPerplexity, second: PseudoPerplexity) -> float:
        """Compare the logs of the perplexities, which are means over the tokens."""
        logs = math.log(first.pseudo_perplexity), math.log(second.pseudo_perplexity)
        return float(math.isclose(*logs, rel_tol=_CLOSE, abs_tol=_CLOSE))


class PerplexityColumns:
    """How pseudo-perplexity is laid out in the columns of a row."""

    names = ("pseudo_perplexity", "n_tokens")

    def values(self, found: PseudoPerplexity) -> list[object]:
        """Return the values of one row, in the order of `names`."""
        return [found.pseudo_perplexity, found.n_tokens]

    def counted(self, found: PseudoPerplexity) -> list[str]:
        """Count nothing: each row has its own number."""
        return []
