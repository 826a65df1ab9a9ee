"""Learning to fill in: the words that are hidden in a text (Devlin et al. 2019).

Words are hidden whole: of a word that is chosen every piece. Words are chosen at random until
15 % of a sequence's tokens are; of these 80 % are masked, 10 % become some other token, and 10 %
stay as they are.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from distilcli.checkpoint.config import ModelConfig
from distilcli.engine.batching import Batch, Piece
from distilcli.engine.task import Encoded
from distilcli.errors import InputError
from distilcli.model.heads import MaskedLanguageModel
from distilcli.tasks.candidates import mask_id
from distilcli.tasks.fill import MaskedWindow, positions_at
from distilcli.tasks.sequences import Framer, no_number
from distilcli.tasks.settings import LongTexts
from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.training.datasets.mlm import PlainTexts
from distilcli.training.digests import rows_digest
from distilcli.training.objectives.base import Example, Metric, PlainLesson, values
from distilcli.training.objectives.soft_targets import soft_cross_entropy
from distilcli.training.objectives.words import Words

_SHARE = 0.15
_MASKED, _REPLACED = 0.8, 0.1
_LARGEST = 700.0  # exp of more is no number


@dataclass(slots=True)
class HiddenWords(MaskedWindow):
    """A sequence with words hidden at `places`; `hidden` are the tokens that stood there."""

    hidden: list[int] = field(default_factory=list)


@dataclass(slots=True)
class MaskedExample(Example):
    """A sequence with hidden words."""

    @property
    def hidden(self) -> list[int]:
        """The tokens that are to be found."""
        return [number for piece in _hidden_words(self.pieces) for number in piece.hidden]


@dataclass(frozen=True, slots=True)
class MlmLesson(PlainLesson):
    """Texts, of which words are hidden as `seed` has it."""

    train: PlainTexts
    valid: PlainTexts
    seed: int = 0
    task: ClassVar[str] = "mlm"
    command: ClassVar[str] = "fill"

    @property
    def head(self) -> type[MaskedLanguageModel]:
        """The head that learns."""
        return MaskedLanguageModel

    def described(self) -> str:
        """Say in words what is learned from."""
        return f"from {len(self.train.used):,} texts, is validated on {len(self.valid.used):,}"

    def configure(self, config: ModelConfig) -> ModelConfig:
        """Return the configuration; words need no labels."""
        return replace(config, labels=(), problem_type=None)

    def objective(
        self, model: MaskedLanguageModel, tokenizer: Tokenizer, *, max_length: int
    ) -> "MlmObjective":
        """Tokenize the texts; long ones are learned in windows, one after the other."""
        return MlmObjective(self, model, tokenizer, max_length=max_length)

    def digests(self) -> dict[str, str]:
        """Tell the texts by what they hold."""
        return {
            "training data": rows_digest(self.train.used),
            "validation data": rows_digest(self.valid.used),
        }


class Masking:
    """Hides words of sequences."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Raise `ModelError` where the vocabulary has no mask."""
        self._mask = mask_id(tokenizer)
        self._special = tokenizer.special_numbers
        self._words = Words(tokenizer)
        self._others = sorted(tokenizer.tokens.keys() - self._special)

    def hide(self, piece: Piece, draw: random.Random) -> MaskedExample | None:
        """Return a sequence with words hidden, at least one; None where it has no word."""
        ids = piece.input_ids
        words = [
            word
            for text in self._words.of(ids)
            for word in text
            if not any(ids[place] in self._special for place in word)
        ]
        if not words:
            return None
        draw.shuffle(words)
        room = max(1, round(_SHARE * sum(map(len, words))))
        chosen = words[:1]
        for word in words[1:]:
            if sum(map(len, chosen)) + len(word) <= room:
                chosen.append(word)
        places = sorted(place for word in chosen for place in word)
        masked = list(ids)
        for place in places:
            masked[place] = self._instead_of(ids[place], draw)
        hidden = [ids[place] for place in places]
        return MaskedExample([HiddenWords(masked, piece.token_type_ids, places, hidden)])

    def _instead_of(self, number: int, draw: random.Random) -> int:
        share = draw.random()
        if share < _MASKED:
            return self._mask
        return draw.choice(self._others) if share < _MASKED + _REPLACED else number


class MlmObjective:
    """Cross-entropy of the hidden tokens; the best model is the least perplexed by them.

    What is hidden is drawn anew in every epoch, from the seed, the epoch and the row; of the
    sequences to validate on it is always the same.
    """

    metric = Metric("perplexity", lower_is_better=True)
    varies = True

    def __init__(
        self,
        lesson: MlmLesson,
        model: MaskedLanguageModel,
        tokenizer: Tokenizer,
        *,
        max_length: int,
    ) -> None:
        self._seed = lesson.seed
        self._pad_token_id = model.config.pad_token_id
        self._model = model
        self._masking = Masking(tokenizer)
        self._framer = Framer(
            tokenizer, model.config, LongTexts(long="window", max_length=max_length, stride=0)
        )
        self._pieces = [
            piece
            for piece in self._framed(tokenizer, lesson.train.used)
            if self._masking.hide(piece, random.Random(0)) is not None
        ]
        self.sizes = [len(piece) for piece in self._pieces]
        hidden = (
            self._masking.hide(piece, random.Random(f"{lesson.seed} valid {number}"))
            for number, piece in enumerate(self._framed(tokenizer, lesson.valid.used))
        )
        self._valid = [example for example in hidden if example is not None]
        if not self._valid:
            raise InputError("the texts to validate on have no words")

    def examples(self, indices: Sequence[int], *, epoch: int) -> list[MaskedExample]:
        """Return the sequences of these numbers, with what is hidden of them in an epoch."""
        return [self._hidden(index, epoch) for index in indices]

    def units(self, example: MaskedExample) -> int:
        """Count the hidden tokens."""
        return len(example.hidden)

    def labelled(self, example: MaskedExample) -> int:
        """Count the hidden tokens: what they are is known."""
        return len(example.hidden)

    def outputs(
        self, model: MaskedLanguageModel, batch: Batch, examples: Sequence[MaskedExample]
    ) -> Tensor:
        """Return a logit per word of the vocabulary (hidden tokens, V), sequence by sequence."""
        return _logits(model, batch)

    def loss(self, outputs: Tensor, examples: Sequence[MaskedExample]) -> Tensor:
        """Return the cross-entropy, summed over hidden tokens."""
        hidden = [number for example in examples for number in example.hidden]
        return F.cross_entropy(
            outputs, torch.tensor(hidden, device=outputs.device), reduction="sum"
        )

    def soft_loss(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Return the cross-entropy with the teacher's softened outputs."""
        return soft_cross_entropy(student, teacher, temperature)

    def scores(self, device: torch.device) -> dict[str, float]:
        """Return exp of the mean cross-entropy of the tokens hidden in the validation texts."""
        task = _HiddenTokens(self._model)
        found = values(task, self._valid, pad_token_id=self._pad_token_id, device=device)
        surprise = -math.fsum(found) / sum(map(self.units, self._valid))
        if not surprise < _LARGEST:
            raise no_number()
        return {"perplexity": math.exp(surprise)}

    def _framed(self, tokenizer: Tokenizer, texts: Sequence[str]) -> list[Piece]:
        framed = (self._framer.frame(ids) for ids in tokenizer.ids(texts) if ids)
        return [piece for row in framed for piece in row.pieces]

    def _hidden(self, index: int, epoch: int) -> MaskedExample:
        draw = random.Random(f"{self._seed} {epoch} {index}")
        example = self._masking.hide(self._pieces[index], draw)
        assert example is not None  # noqa: S101
        return example


class _HiddenTokens:
    """The log probability of all that is hidden in a sequence, as the engine runs it."""

    def __init__(self, model: MaskedLanguageModel) -> None:
        self._model = model

    def size(self, item: MaskedExample) -> int:
        """Return the number of tokens: these sequences come without their text."""
        return item.size

    def encode(self, items: Sequence[MaskedExample]) -> list[Encoded]:
        """Return the sequences as they are."""
        return [Encoded(item.pieces) for item in items]

    def forward(self, batch: Batch) -> list[float]:
        """Return the log probability of each sequence."""
        counts = [len(piece.hidden) for piece in _hidden_words(batch.pieces)]
        hidden = [number for piece in _hidden_words(batch.pieces) for number in piece.hidden]
        logits = _logits(self._model, batch)  # (hidden tokens, V)
        wanted = torch.tensor(hidden, device=logits.device)
        found = -F.cross_entropy(logits, wanted, reduction="none").cpu()
        return [float(part.sum()) for part in torch.split(found.double(), counts)]

    def decode(self, item: MaskedExample, encoded: Encoded, outputs: Sequence[float]) -> float:
        """Return the log probability of an item."""
        return outputs[0]


def _logits(model: MaskedLanguageModel, batch: Batch) -> Tensor:
    places = [piece.places for piece in _hidden_words(batch.pieces)]
    positions = positions_at(places, batch.input_ids)
    logits: Tensor = model(
        batch.input_ids, batch.attention_mask, batch.token_type_ids, positions=positions
    )
    return logits.float()


def _hidden_words(pieces: Sequence[Piece]) -> list[HiddenWords]:
    return [piece for piece in pieces if isinstance(piece, HiddenWords)]
