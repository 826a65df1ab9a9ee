"""Multiple choice: a prompt and its options to the best option.

Each option is read with the prompt, as `[CLS] prompt [SEP] option [SEP]`, and gets one logit; the
softmax over the options of a row gives their probabilities (Zellers et al. 2018, "SWAG"). A prompt
longer than the model reads is cut, or read in windows with the whole option in each; the logit of
the option is then the mean of theirs, weighted by length.
"""

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, TypeVar

import torch

from distilcli.engine.batching import Batch
from distilcli.engine.task import Encoded
from distilcli.errors import RowError
from distilcli.model.heads import MultipleChoice
from distilcli.tasks.result import Result
from distilcli.tasks.sequences import Framer, encode_each, no_number, or_error, pool_windows
from distilcli.tasks.settings import LongTexts
from distilcli.tokenizer.tokenizer import Ids, Tokenizer

Item = TypeVar("Item")
Options = Sequence[str | None]
"""Texts to choose from; None is a missing option, which keeps the indices of the others."""
Problem = tuple[str, Options]
"""A prompt and its options."""


@dataclass(frozen=True, slots=True, repr=False)
class Choice(Result):
    """The choice for one prompt.

    `choice` is the option, `choice_index` its index, and `score` its probability. `scores` are
    those of all options, in order; None for a missing one.
    """

    _shown = ("choice", "choice_index", "score")
    choice: str
    choice_index: int
    scores: tuple[float | None, ...]

    @property
    def score(self) -> float:
        """The probability of the choice."""
        return self.scores[self.choice_index] or 0.0


@dataclass(slots=True)
class EncodedProblem(Encoded):
    """The pieces of all options in order; `windows` counts those of each option."""

    options: Options = ()
    windows: list[int] = field(default_factory=list)


class ChooseTask(Generic[Item]):
    """Multiple choice as the engine runs it; `problem_of` takes prompt and options of an item.

    `problem_of` may raise `RowError`. Windows overlap by `long_texts.stride` at most, never by
    more than half of their part of the prompt.
    """

    def __init__(
        self,
        model: MultipleChoice,
        tokenizer: Tokenizer,
        *,
        problem_of: Callable[[Item], Problem],
        long_texts: LongTexts,
    ) -> None:
        """Raise `UsageError` for lengths without room for text."""
        self._model = model
        self._problem_of = problem_of
        self._framer = Framer(tokenizer, model.config, long_texts, soft_stride=True)

    def size(self, item: Item) -> int:
        """Return the number of characters that are read: the prompt once for each option."""
        problem = or_error(self._problem_of, item)
        if isinstance(problem, RowError):
            return 0
        prompt, options = problem
        return sum(len(prompt) + len(option) for option in options if option is not None)

    def encode(self, items: Sequence[Item]) -> list[Encoded | RowError]:
        """Tokenize items at once; one whose options cannot be read gives its `RowError`."""
        return encode_each(items, self._problem_of, self._encode_problems)

    def _encode_problems(self, problems: Sequence[Problem]) -> list[Encoded | RowError]:
        # Many rows may have the same options: a text is tokenized once.
        every = (text for prompt, options in problems for text in (prompt, *options) if text)
        texts = list(dict.fromkeys(every))
        ids = dict(zip(texts, self._framer.ids(texts), strict=True))
        return [or_error(self._framed, problem, ids) for problem in problems]

    def _framed(self, problem: Problem, ids: Mapping[str, Ids]) -> EncodedProblem:
        prompt, options = problem
        check_options(options)
        encoded = EncodedProblem([], options=options)
        for option in options:
            if option is None:
                continue
            both = self._framer.ids_of_pair(
                (prompt, option), (ids.get(prompt, array("i")), ids[option])
            )
            framed = self._framer.frame(*both, windowed="first")
            encoded.pieces += framed.pieces
            encoded.windows.append(len(framed.pieces))
            encoded.truncated = encoded.truncated or framed.truncated
        return encoded

    def forward(self, batch: Batch) -> list[float]:
        """Return the logit of each piece."""
        logits = self._model(batch.input_ids, batch.attention_mask, batch.token_type_ids)  # (B, 1)
        found: list[float] = logits[:, 0].float().tolist()
        return found

    def decode(self, item: Item, encoded: EncodedProblem, outputs: Sequence[float]) -> Choice:
        """Compare the options; raise `RowError` if a logit is not a number."""
        if not all(map(math.isfinite, outputs)):
            raise no_number()
        probabilities = iter(_softmax(_pooled(encoded, outputs)))
        scores = tuple(
            None if option is None else next(probabilities) for option in encoded.options
        )
        best = max(range(len(scores)), key=lambda index: scores[index] or 0.0)
        chosen = encoded.options[best] or ""
        return Choice(chosen, best, scores, truncated=encoded.truncated)

    def agreement(self, first: Choice, second: Choice) -> float:
        """Compare the options that were chosen."""
        return float(first.choice_index == second.choice_index)


def check_options(options: Options) -> None:
    """Raise `RowError` for fewer than two options, or an empty one."""
    count = sum(option is not None for option in options)
    if count < 2:  # noqa: PLR2004
        counted = ("no option", "1 option")[count]
        raise RowError(f"{counted}; there must be at least two to choose from")
    for number, option in enumerate(options):
        if option is not None and not option.strip():
            raise RowError(f"option {number} (from 0) is empty; leave it out or write it")


def _pooled(encoded: EncodedProblem, outputs: Sequence[float]) -> list[float]:
    """Return one logit per option."""
    pairs = zip(encoded.pieces, outputs, strict=True)
    pooled = []
    for count in encoded.windows:
        pieces, logits = zip(*islice(pairs, count), strict=True)
        pooled.append(pool_windows(torch.tensor(logits)[:, None], pieces, "mean").item())
    return pooled


def _softmax(logits: Sequence[float]) -> list[float]:
    highest = max(logits)
    weights = [math.exp(logit - highest) for logit in logits]
    return [weight / math.fsum(weights) for weight in weights]


class ChoiceColumns:
    """The columns of choices.

    `choice`, `choice_index` (from 0), `score`, and `scores`, a list of all options' in order.
    With `same_options` in every row, the summary counts how often each was chosen.
    """

    names = ("choice", "choice_index", "score", "scores")

    def __init__(self, *, same_options: bool = False) -> None:
        self._same_options = same_options

    def values(self, choice: Choice) -> list[object]:
        """Return the values of one row, in the order of `names`."""
        return [choice.choice, choice.choice_index, choice.score, list(choice.scores)]

    def counted(self, choice: Choice) -> list[str]:
        """Return the chosen option, if all rows have the same options."""
        return [choice.choice] if self._same_options else []
