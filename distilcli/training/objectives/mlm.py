"""Masked language modelling: the words that are hidden in a text (Devlin et al. 2019).

Whole words are hidden, every token of a chosen word. Words are chosen at random until 15 % of a
sequence's tokens are; 80 % of these are masked, 10 % replaced by a random token, 10 % kept.
"""

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from distilcli.engine.batching import Batch, Piece
from distilcli.engine.task import Encoded
from distilcli.errors import InputError
from distilcli.model.heads import MaskedLanguageModel
from distilcli.tasks.candidates import mask_id
from distilcli.tasks.fill import MaskedWindow, positions_at
from distilcli.tasks.sequences import Framer, no_number
from distilcli.tasks.settings import LongTexts
from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.training.data_checks import CheckedRows
from distilcli.training.datasets.mlm import PlainTexts
from distilcli.training.objectives.base import Example, Metric, Objective
from distilcli.training.objectives.words import Words

_SHARE = 0.15
_MASKED, _REPLACED = 0.8, 0.1
_LARGEST = 700.0  # exp of more overflows


@dataclass(slots=True)
class HiddenWords(MaskedWindow):
    """A sequence with words hidden at `places`; `hidden` are the tokens that were there."""

    hidden: list[int] = field(default_factory=list)


class MlmObjective(Objective[PlainTexts, MaskedLanguageModel, Example]):
    """Cross-entropy of the hidden tokens; the best model has the lowest perplexity.

    The words to hide are drawn anew in every epoch, from seed, epoch and sequence; those of the
    validation texts are always the same.
    """

    task = "mlm"
    head = MaskedLanguageModel
    metric = Metric("perplexity", lower_is_better=True)
    varies = True

    def checked(self, rows: PlainTexts, name: str) -> CheckedRows:
        """Return the texts for the data checks."""
        return CheckedRows(name=name, texts=rows.texts, places=rows.places)

    def count(self, rows: PlainTexts) -> int:
        """Count the texts."""
        return len(rows.texts)

    def examples(self, indices: Sequence[int], *, epoch: int) -> list[Example]:
        """Return the sequences at these indices, with the words that are hidden in an epoch."""
        return [self._hidden(index, epoch) for index in indices]

    def gold(self, example: Example) -> list[int]:
        """Return the hidden tokens."""
        return _hidden_tokens(example.pieces)

    def outputs(
        self, model: MaskedLanguageModel, batch: Batch, examples: Sequence[Example]
    ) -> Tensor:
        """Return a logit per token of the vocabulary (hidden tokens, V), sequence by sequence."""
        return _logits(model, batch)

    def scores(self, device: torch.device) -> dict[str, float]:
        """Return exp of the mean cross-entropy of the tokens hidden in the validation texts."""
        found = self._predictions(_HiddenTokens(self.model), self._masked_valid, device)
        surprise = -math.fsum(found) / sum(map(self.units, self._masked_valid))
        if not surprise < _LARGEST:
            raise no_number()
        return {"perplexity": math.exp(surprise)}

    def _tokenized(
        self, model: MaskedLanguageModel, tokenizer: Tokenizer, max_length: int
    ) -> list[Example]:
        self._masking = Masking(tokenizer)
        long_texts = LongTexts(long="window", max_length=max_length, stride=0)
        framer = Framer(tokenizer, model.config, long_texts)

        def pieces(texts: Sequence[str]) -> list[Piece]:
            framed = (framer.frame(ids) for ids in tokenizer.ids(texts) if ids)
            return [piece for row in framed for piece in row.pieces]

        seed = self.options.seed
        hidden = (
            self._masking.hide(piece, random.Random(f"{seed} valid {index}"))
            for index, piece in enumerate(pieces(self.valid.texts))
        )
        self._masked_valid = [example for example in hidden if example is not None]
        if not self._masked_valid:
            raise InputError("the validation texts have no words")
        return [
            Example([piece])
            for piece in pieces(self.train.texts)
            if self._masking.hide(piece, random.Random(0)) is not None
        ]

    def _hidden(self, index: int, epoch: int) -> Example:
        draw = random.Random(f"{self.options.seed} {epoch} {index}")
        example = self._masking.hide(self._examples[index].pieces[0], draw)
        assert example is not None  # noqa: S101
        return example

    def _digested(self, rows: PlainTexts) -> Iterable[object]:
        return rows.texts


class Masking:
    """Hides words of sequences."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Raise `ModelError` if the vocabulary has no mask token."""
        self._mask = mask_id(tokenizer)
        self._special = tokenizer.special_numbers
        self._words = Words(tokenizer)
        self._others = sorted(tokenizer.tokens.keys() - self._special)

    def hide(self, piece: Piece, draw: random.Random) -> Example | None:
        """Return a sequence with at least one word hidden; None if it has no words."""
        ids = piece.input_ids
        words = [
            word
            for text in self._words.of(ids)
            for word in text
            if not any(ids[position] in self._special for position in word)
        ]
        if not words:
            return None
        draw.shuffle(words)
        room = max(1, round(_SHARE * sum(map(len, words))))
        chosen = words[:1]
        for word in words[1:]:
            if sum(map(len, chosen)) + len(word) <= room:
                chosen.append(word)
        positions = sorted(position for word in chosen for position in word)
        masked = list(ids)
        for position in positions:
            masked[position] = self._replacement(ids[position], draw)
        hidden = [ids[position] for position in positions]
        return Example([HiddenWords(masked, piece.token_type_ids, positions, hidden)])

    def _replacement(self, token: int, draw: random.Random) -> int:
        share = draw.random()
        if share < _MASKED:
            return self._mask
        return draw.choice(self._others) if share < _MASKED + _REPLACED else token


class _HiddenTokens:
    """The engine's task that gives the log probability of all hidden tokens of a sequence."""

    def __init__(self, model: MaskedLanguageModel) -> None:
        self._model = model

    def size(self, item: Example) -> int:
        """Return the number of tokens."""
        return item.size

    def encode(self, items: Sequence[Example]) -> list[Encoded]:
        """Return the sequences as they are."""
        return [Encoded(item.pieces) for item in items]

    def forward(self, batch: Batch) -> list[float]:
        """Return the log probability of each sequence."""
        counts = [len(piece.hidden) for piece in _hidden_words(batch.pieces)]
        logits = _logits(self._model, batch)  # (hidden tokens, V)
        gold = torch.tensor(_hidden_tokens(batch.pieces), device=logits.device)
        found = -F.cross_entropy(logits, gold, reduction="none").cpu()
        return [float(part.sum()) for part in torch.split(found.double(), counts)]

    def decode(self, item: Example, encoded: Encoded, outputs: Sequence[float]) -> float:
        """Return the log probability of an item."""
        return outputs[0]


def _logits(model: MaskedLanguageModel, batch: Batch) -> Tensor:
    places = [piece.places for piece in _hidden_words(batch.pieces)]
    positions = positions_at(places, batch.input_ids)
    logits: Tensor = model(*batch.inputs, positions=positions)
    return logits.float()


def _hidden_words(pieces: Sequence[Piece]) -> list[HiddenWords]:
    return [piece for piece in pieces if isinstance(piece, HiddenWords)]


def _hidden_tokens(pieces: Sequence[Piece]) -> list[int]:
    return [token for piece in _hidden_words(pieces) for token in piece.hidden]
