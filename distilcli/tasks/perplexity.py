"""Pseudo-perplexity: how well a masked language model predicts a text, token by token.

Each token is masked in turn and its probability given all others is read off; the result is
exp(-mean log p) (Salazar et al. 2020, "Masked Language Model Scoring"). Lower is better.
In a text longer than the model reads, each token is masked in the window where it has most context;
a text that is cut counts up to the cut.
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
_MAX_LOG = 700.0  # exp of more overflows
_CLOSE = 0.02  # relative difference of log perplexities that count as equal


@dataclass(frozen=True, slots=True, repr=False)
class PseudoPerplexity(Result):
    """How hard a text of `n_tokens` tokens is to predict: 1 if each was certain, NaN for none."""

    _shown = ("pseudo_perplexity", "n_tokens")
    pseudo_perplexity: float
    n_tokens: int


@dataclass(slots=True)
class HiddenToken(Piece):
    """A sequence in which the token at `place` is to be masked.

    Its ids are those of the text, in one list for all tokens of a window: so a text of T tokens
    costs T small objects, not T lists of T ids.
    """

    place: int = 0


class PerplexityTask(Generic[Item]):
    """Pseudo-perplexity as the engine runs it; `text_of` takes the text of an item.

    `text_of` may raise `RowError`. Windows overlap by `long_texts.stride` at most, never by more
    than half a window.
    """

    def __init__(
        self,
        model: MaskedLanguageModel,
        tokenizer: Tokenizer,
        *,
        text_of: Callable[[Item], str],
        long_texts: LongTexts,
    ) -> None:
        """Raise `UsageError` for lengths without room for text, `ModelError` for no mask token."""
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
        """Tokenize items at once; one with a mask gives a `RowError`."""
        return encode_each(items, self._text_of, self._encode_texts)

    def _encode_texts(self, texts: Sequence[str]) -> list[Encoded | RowError]:
        encodings = self._framer.encodings(texts, sought=self._tokenizer.options.mask_token)
        return [or_error(self._framed, encoding) for encoding in encodings]

    def _framed(self, encoding: Encoding) -> Encoded:
        if not encoding:
            return Encoded([])
        if self._mask in encoding.ids:
            token = self._tokenizer.options.mask_token
            raise RowError(f"the text has a {token}; pseudo-perplexity is for texts without masks")
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
        """Average over the tokens; raise `RowError` if the result is not a number."""
        if not outputs:
            return PseudoPerplexity(math.nan, 0)
        surprisal = -math.fsum(outputs) / len(outputs)
        if not surprisal < _MAX_LOG:
            raise no_number()
        return PseudoPerplexity(math.exp(surprisal), len(outputs), truncated=encoded.truncated)

    def agreement(self, first: PseudoPerplexity, second: PseudoPerplexity) -> float:
        """Compare the logs of the perplexities, which are means over the tokens."""
        if not first.n_tokens:
            return 1.0
        logs = math.log(first.pseudo_perplexity), math.log(second.pseudo_perplexity)
        return float(math.isclose(*logs, rel_tol=_CLOSE, abs_tol=_CLOSE))


class PerplexityColumns:
    """The columns of a pseudo-perplexity."""

    names = ("pseudo_perplexity", "n_tokens")

    def values(self, found: PseudoPerplexity) -> list[object]:
        """Return the values of one row, in the order of `names`."""
        return [found.pseudo_perplexity, found.n_tokens]

    def counted(self, found: PseudoPerplexity) -> list[str]:
        """Count nothing: there are no labels."""
        return []
